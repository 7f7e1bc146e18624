"""Batch settlement: totals, what counts and what does not, and what becomes of an older batch's transactions."""

from __future__ import annotations

from contracts.authorization import Totals
from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from iso8583 import FormatError, check_profile
from lianji.certify.case import Section
from lianji.certify.cases.making import GOODS
from lianji.certify.desk import APPROVED, IN_PART, Desk, Done
from lianji.certify.rig import Rig
from lianji.certify.sealed import NOT_OPEN, UNBALANCED, plain, result_of
from lianji.certify.verdict import Failed, expect

SECTION = Section("batch", "Batch settlement")
_AMOUNT = 20_00


async def empty_batch(rig: Rig) -> Desk:
    """A terminal with an empty batch."""
    desk = rig.desk("batch")
    if desk.batch:
        await desk.sign_on()  # to the batch that is open, whatever the case before has closed
        await desk.renew()
    else:
        await desk.ready()
    return desk


async def _sale(rig: Rig, desk: Desk, amount_minor: int = _AMOUNT) -> Done:
    return (await desk.do(Kind.SALE, rig.debit, amount_minor)).must_be(APPROVED)


def _debits(*amounts: int) -> Totals:
    return Totals(debit_minor=sum(amounts), debit_count=len(amounts))


@SECTION.case("10")
async def empty(rig: Rig) -> None:
    """An empty batch is balanced by totals of 0"""
    desk = await empty_batch(rig)
    await desk.close_batch(Totals())


@SECTION.case("10")
async def totals_right(rig: Rig) -> None:
    """Right totals are answered 1, and the next sign-on brings the next batch"""
    desk = await empty_batch(rig)
    await _sale(rig, desk)
    before = desk.batch
    await desk.close_batch(_debits(_AMOUNT))
    expect("60.2 of the next sign-on", wanted=f"{int(before) % 999999 + 1:06d}", got=desk.batch)


@SECTION.case("10")
async def answer_has_its_fields(rig: Rig) -> None:
    """The answer has 11, 12, 13, 15, 32, 37, 41, 42, 48, 49, 60, 63, no 39, and the host's totals"""
    desk = await empty_batch(rig)
    await _sale(rig, desk)
    answer = await desk.settle(_debits(_AMOUNT))
    try:
        check_profile(answer)
    except FormatError as error:
        raise Failed(str(error)) from None
    result = result_of(answer)
    expect("48, debits", wanted=(1, _AMOUNT), got=(result.debit_count, result.debit_minor))
    desk.session = None


def _wrong(name: str, what: str, totals: Totals) -> None:
    async def check(rig: Rig) -> None:
        desk = await empty_batch(rig)
        await _sale(rig, desk)
        result = result_of(await desk.settle(totals))
        expect("48 (result)", wanted=UNBALANCED, got=result.result)
        expect("48, debits of the host", wanted=(1, _AMOUNT), got=(result.debit_count, result.debit_minor))
        await _sale(rig, desk, 1_00)  # the batch is still open
        await desk.close_batch(_debits(_AMOUNT, 1_00))

    title = f"Totals with a wrong {what} are answered 2 with the host's, and the batch stays open"
    SECTION.add(f"wrong-{name}", title, "10", check)


_wrong("amount", "amount", _debits(_AMOUNT - 1))
_wrong("count", "count", Totals(debit_minor=_AMOUNT, debit_count=2))
_wrong("credits", "credit", Totals(debit_minor=_AMOUNT, debit_count=1, credit_minor=1, credit_count=1))


@SECTION.case("10")
async def debits_and_credits(rig: Rig) -> None:
    """Sales, instalment sales, completions and offline sales are debits; voids and refunds are credits, and what they undo stays a debit"""
    desk = await empty_batch(rig)
    sale = await _sale(rig, desk)
    plan = InstalmentPlan(periods=rig.instalments.periods, goods=GOODS)
    instalment = (await desk.do(Kind.INSTALMENT, rig.credit, 60_00, plan=plan)).must_be(APPROVED)
    held = (await desk.do(Kind.PRE_AUTH, rig.debit, 10_00)).must_be(APPROVED)
    completion = (await desk.about(Kind.COMPLETION, held, 11_00)).must_be(APPROVED)
    offline = (await desk.do(Kind.OFFLINE_SALE, rig.debit, 5_00)).must_be(APPROVED)
    (await desk.void(sale)).must_be(APPROVED)
    (await desk.void(instalment)).must_be(APPROVED)
    (await desk.void(completion)).must_be(APPROVED)
    (await desk.about(Kind.REFUND, offline, 2_00)).must_be(APPROVED)
    debits, credits = (_AMOUNT, 60_00, 11_00, 5_00), (_AMOUNT, 60_00, 11_00, 2_00)
    await desk.close_batch(Totals(debit_minor=sum(debits), debit_count=4, credit_minor=sum(credits), credit_count=4))


@SECTION.case("10")
async def what_does_not_count(rig: Rig) -> None:
    """Declined and reversed transactions, pre-authorizations and their voids, and balances do not count"""
    desk = await empty_batch(rig)
    await _sale(rig, desk)
    (await desk.do(Kind.SALE, rig.debit, 7_00, pin="")).must_be("55")
    reversed_sale = await _sale(rig, desk, 8_00)
    answer = await desk.reverse(reversed_sale)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    held = (await desk.do(Kind.PRE_AUTH, rig.debit, 9_00)).must_be(APPROVED)
    (await desk.void(held)).must_be(APPROVED)
    (await desk.do(Kind.BALANCE, rig.debit)).must_be(APPROVED)
    await desk.close_batch(_debits(_AMOUNT))


@SECTION.case("10, 15")
async def part_counts(rig: Rig) -> None:
    """Of an approval in part the part counts"""
    desk, poor = await empty_batch(rig), rig.card("poor")
    (await desk.do(Kind.SALE, poor, poor.holds_minor + 90_00, takes_part=True)).must_be(IN_PART)
    await desk.close_batch(_debits(poor.holds_minor))


@SECTION.case("10")
async def asked_again(rig: Rig) -> None:
    """A batch that is closed already is answered as it was"""
    desk = await empty_batch(rig)
    await _sale(rig, desk)
    batch = desk.batch
    first = await desk.close_batch(_debits(_AMOUNT))
    again = await desk.settle(_debits(_AMOUNT), batch=batch)
    expect("48", wanted=first.text(48), got=again.text(48))
    expect("37", wanted=first.text(37), got=again.text(37))


@SECTION.case("10")
async def an_older_batch(rig: Rig) -> None:
    """A batch that is neither the open one nor the last closed one is answered 3"""
    desk = await empty_batch(rig)
    batch = desk.batch
    await desk.close_batch(Totals())
    await desk.close_batch(Totals())
    expect("48 (result)", wanted=NOT_OPEN, got=result_of(await desk.settle(Totals(), batch=batch)).result)


@SECTION.case("11")
async def sale_of_the_closed_batch(rig: Rig) -> None:
    """A sale that names a closed batch is answered 77"""
    desk = await empty_batch(rig)
    batch = desk.batch
    await desk.close_batch(Totals())
    (await desk.do(Kind.SALE, rig.debit, _AMOUNT, batch=batch)).must_be("77")


@SECTION.case("10, 12")
async def sign_off_of_the_closed_batch(rig: Rig) -> None:
    """A sign-off that names a closed batch is answered 77"""
    desk = await empty_batch(rig)
    batch = desk.batch
    await desk.close_batch(Totals())
    answer, _ = await desk.raw(plain(desk.messages.sign_off(stan=desk.next_stan(), batch=batch)))
    expect("39 (response code)", wanted="77", got=answer.text(39))


@SECTION.case("8")
async def trace_numbers_anew(rig: Rig) -> None:
    """A STAN of the batch before is good for another transaction"""
    desk = await empty_batch(rig)
    sale = await _sale(rig, desk)
    await desk.close_batch(_debits(_AMOUNT))
    (await desk.do(Kind.SALE, rig.debit, _AMOUNT + 1, stan=sale.transaction.stan)).must_be(APPROVED)


@SECTION.case("15")
async def refund_of_a_settled_sale(rig: Rig) -> None:
    """A sale of a closed batch may be refunded, and the refund counts in the batch that is open"""
    desk = await empty_batch(rig)
    sale = await _sale(rig, desk)
    await desk.close_batch(_debits(_AMOUNT))
    (await desk.about(Kind.REFUND, sale)).must_be(APPROVED)
    await desk.close_batch(Totals(credit_minor=_AMOUNT, credit_count=1))


@SECTION.case("15")
async def void_of_a_settled_sale(rig: Rig) -> None:
    """A sale of a closed batch cannot be voided: 25"""
    desk = await empty_batch(rig)
    sale = await _sale(rig, desk)
    await desk.close_batch(_debits(_AMOUNT))
    (await desk.void(sale)).must_be("25")


@SECTION.case("15")
async def completion_of_an_earlier_batch(rig: Rig) -> None:
    """A pre-authorization of a closed batch may be completed"""
    desk = await empty_batch(rig)
    held = (await desk.do(Kind.PRE_AUTH, rig.debit, _AMOUNT)).must_be(APPROVED)
    await desk.close_batch(Totals())
    (await desk.about(Kind.COMPLETION, held)).must_be(APPROVED)


@SECTION.case("9, 10")
async def reversal_after_the_close(rig: Rig) -> None:
    """A sale of a closed batch may be reversed, and the batch stays closed as it was"""
    desk = await empty_batch(rig)
    sale, batch = await _sale(rig, desk), desk.batch
    first = await desk.close_batch(_debits(_AMOUNT))
    answer = await desk.reverse(sale)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    again = await desk.settle(_debits(_AMOUNT), batch=batch)
    expect("48", wanted=first.text(48), got=again.text(48))


@SECTION.case("10, 12")
async def foreign_totals(rig: Rig) -> None:
    """Totals of foreign cards are answered 30"""
    desk = await empty_batch(rig)
    foreign = "0" * 31 + "000000000100" + "001" + "0" * 16
    answer = await desk.settle(Totals(), change={48: foreign})
    expect("39 (response code)", wanted="30", got=answer.text(39))


@SECTION.case("10, 12")
async def totals_cut_short(rig: Rig) -> None:
    """Totals of fewer than 62 digits are answered 30"""
    desk = await empty_batch(rig)
    answer = await desk.settle(Totals(), change={48: "0" * 31})
    expect("39 (response code)", wanted="30", got=answer.text(39))


@SECTION.case("10")
async def currency(rig: Rig) -> None:
    """Totals in another currency than 156 are not those of the open batch: 3"""
    desk = await empty_batch(rig)
    expect("48 (result)", wanted=NOT_OPEN, got=result_of(await desk.settle(Totals(), change={49: "840"})).result)
