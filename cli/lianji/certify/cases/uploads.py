"""The upload of a batch that did not balance: what is compared, and how the batch is closed by it."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.authorization import Totals
from contracts.kinds import Kind
from iso8583 import Detail, Message, pack_details
from lianji.certify.case import Section
from lianji.certify.cases.batches import empty_batch
from lianji.certify.cases.transfers import available, comes_to
from lianji.certify.desk import APPROVED, Desk, Done
from lianji.certify.rig import Rig
from lianji.certify.sealed import UNBALANCED, plain, result_of
from lianji.certify.verdict import expect, require
from terminal_sim.record import PendingClose

SECTION = Section("upload", "Upload of an unbalanced batch")
_DETAILS, _END, _END_OF_BALANCED = "201", "202", "207"
_AMOUNT = 15_00
_UNKNOWN_STAN = "999997"


async def _upload(desk: Desk, code: str, content: str, *, batch: str = "") -> Message:
    close = PendingClose(batch=batch or desk.batch, stan="", totals=Totals())
    return await desk.ask(plain(desk.messages.upload(close, stan=desk.next_stan(), code=code, content=content)))


async def _details(desk: Desk, details: Sequence[Detail], code: str = APPROVED, *, batch: str = "") -> None:
    answer = await _upload(desk, _DETAILS, pack_details(tuple(details)), batch=batch)
    expect("39 (response code) of the details", wanted=code, got=answer.text(39))


async def _end(desk: Desk, count: int, code: str = APPROVED, *, batch: str = "") -> None:
    answer = await _upload(desk, _END, f"{count:04d}", batch=batch)
    expect("39 (response code) of the end", wanted=code, got=answer.text(39))
    require(code != APPROVED or 37 in answer.fields, "37: is missing where a batch is closed")


async def _unbalanced(rig: Rig, amounts: Sequence[int] = (_AMOUNT, _AMOUNT + 1)) -> tuple[Desk, list[Done]]:
    """A batch with these sales, of which the host has been told that there were none."""
    desk = await empty_batch(rig)
    sales = [(await desk.do(Kind.SALE, rig.debit, amount)).must_be(APPROVED) for amount in amounts]
    await _not_balanced(desk)
    return desk, sales


async def _not_balanced(desk: Desk) -> None:
    expect("48 (result)", wanted=UNBALANCED, got=result_of(await desk.settle(Totals())).result)


def _of(done: Done) -> Detail:
    return Detail(done.transaction.stan, done.worth_minor)


async def _next_batch(desk: Desk, before: str) -> None:
    await desk.sign_on()
    expect("60.2 of the next sign-on", wanted=f"{int(before) % 999999 + 1:06d}", got=desk.batch)


@SECTION.case("10")
async def closes_the_batch(rig: Rig) -> None:
    """Details (201) and end (202) of all transactions close the batch; the next sign-on brings the next one"""
    desk, sales = await _unbalanced(rig)
    batch = desk.batch
    await _details(desk, [_of(sale) for sale in sales])
    await _end(desk, len(sales))
    await _next_batch(desk, batch)


@SECTION.case("10")
async def in_several_messages(rig: Rig) -> None:
    """Details may come in several messages, in any order, and twice: each counts once"""
    desk, sales = await _unbalanced(rig)
    first, second = map(_of, sales)
    for detail in (second, first, second):
        await _details(desk, [detail])
    await _end(desk, len(sales))


@SECTION.case("10")
async def host_alone(rig: Rig) -> None:
    """What the host alone holds approved is reversed"""
    desk = await empty_batch(rig)
    before = await available(desk, rig.debit)
    kept = (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    lost = (await desk.do(Kind.SALE, rig.debit, _AMOUNT + 1)).must_be(APPROVED)
    await _not_balanced(desk)
    await _details(desk, [_of(kept)])
    await _end(desk, 1)
    lost.over = True
    await desk.sign_on()
    await comes_to(desk, rig.debit, before - _AMOUNT)


@SECTION.case("10")
async def terminal_alone(rig: Rig) -> None:
    """What the terminal alone holds approved does not keep the batch from being closed, and takes nothing"""
    desk = await empty_batch(rig)
    before = await available(desk, rig.debit)
    sale = (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    await _not_balanced(desk)
    await _details(desk, [_of(sale), Detail(_UNKNOWN_STAN, 1_00)])
    await _end(desk, 2)
    await desk.sign_on()
    await comes_to(desk, rig.debit, before - _AMOUNT)


@SECTION.case("10")
async def amounts_differ(rig: Rig) -> None:
    """Where the amounts differ the host's holds, and the batch is closed"""
    desk = await empty_batch(rig)
    before = await available(desk, rig.debit)
    sale = (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    await _not_balanced(desk)
    await _details(desk, [Detail(sale.transaction.stan, _AMOUNT - 1)])
    await _end(desk, 1)
    await desk.sign_on()
    await comes_to(desk, rig.debit, before - _AMOUNT)


@SECTION.case("10")
async def wrong_count(rig: Rig) -> None:
    """An end that says another number of details is answered 12, and the batch stays open"""
    desk, sales = await _unbalanced(rig)
    await _details(desk, [_of(sale) for sale in sales])
    await _end(desk, len(sales) + 1, "12")
    await _not_balanced(desk)


@SECTION.case("10")
async def another_amount_later(rig: Rig) -> None:
    """A detail that comes again with another amount is answered 94"""
    desk, sales = await _unbalanced(rig)
    await _details(desk, [_of(sales[0])])
    await _details(desk, [Detail(sales[0].transaction.stan, 1)], "94")


@SECTION.case("10")
async def begun_anew(rig: Rig) -> None:
    """A 0500 with a new STAN begins the upload anew"""
    desk, sales = await _unbalanced(rig)
    await _details(desk, [Detail(_UNKNOWN_STAN, 1)])
    await _not_balanced(desk)
    await _details(desk, [_of(sale) for sale in sales])
    await _end(desk, len(sales))


@SECTION.case("10")
async def sale_in_between(rig: Rig) -> None:
    """A sale ends the upload that has begun: its details are answered 12"""
    desk, sales = await _unbalanced(rig)
    (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    await _details(desk, [_of(sales[0])], "12")


@SECTION.case("10")
async def of_no_close(rig: Rig) -> None:
    """Details of a batch of which no close was unbalanced are answered 12"""
    desk = await empty_batch(rig)
    sale = (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    await _details(desk, [_of(sale)], "12")


@SECTION.case("10, 11")
async def old_batch_afterwards(rig: Rig) -> None:
    """A sale of the batch that was closed so is answered 77"""
    desk, sales = await _unbalanced(rig)
    batch = desk.batch
    await _details(desk, [_of(sale) for sale in sales])
    await _end(desk, len(sales))
    await desk.sign_on()
    (await desk.do(Kind.SALE, rig.debit, _AMOUNT, batch=batch)).must_be("77")


@SECTION.case("10")
async def asked_again(rig: Rig) -> None:
    """A 0500 and an end for a batch that was closed by its details are answered as before: 2, then 00"""
    desk, sales = await _unbalanced(rig)
    batch = desk.batch
    await _details(desk, [_of(sale) for sale in sales])
    await _end(desk, len(sales))
    again = result_of(await desk.settle(Totals(), batch=batch))
    expect("48 (result)", wanted=UNBALANCED, got=again.result)
    await _details(desk, [_of(sale) for sale in sales], batch=batch)
    await _end(desk, len(sales), batch=batch)
    desk.session = None


@SECTION.case("10")
async def end_of_a_balanced_batch(rig: Rig) -> None:
    """The end of a balanced batch (207) is answered 00"""
    desk = await empty_batch(rig)
    batch = desk.batch
    await desk.close_batch(Totals())
    answer = await _upload(desk, _END_OF_BALANCED, "0000", batch=batch)
    expect("39 (response code)", wanted=APPROVED, got=answer.text(39))


def _malformed(name: str, title: str, content: str) -> None:
    async def check(rig: Rig) -> None:
        desk, _ = await _unbalanced(rig)
        answer = await _upload(desk, _DETAILS, content)
        expect("39 (response code)", wanted="30", got=answer.text(39))

    SECTION.add(name, title, "10, 12", check)


_malformed("count-of-details", "A count of details that is not 1 to 8 is answered 30", "09" + 8 * ("0" * 39 + "1"))
_malformed("details-cut-short", "Details of fewer digits than their count says are answered 30", "02" + "0" * 40)
