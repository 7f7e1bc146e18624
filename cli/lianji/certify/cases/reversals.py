"""Reversals: of every kind that has one, before and after the answer, repeated, and of what never came."""

from __future__ import annotations

from contracts.kinds import KINDS, Kind
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.making import AMOUNT, in_words
from lianji.certify.cases.transfers import available, comes_to
from lianji.certify.desk import APPROVED, Done
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect, require

SECTION = Section("reversal", "Reversal")
_REVERSED = tuple(kind for kind, facts in KINDS.items() if facts.reversible)
_REASONS = {"98": "no answer", "A0": "wrong MAC in the answer", "96": "terminal fault", "06": "other"}


async def _reverses(done: Done, code: str = APPROVED, **more: object) -> None:
    answer = await done.desk.reverse(done, **more)  # type: ignore[arg-type]
    expect("39 (response code) of the reversal", wanted=code, got=answer.text(39))


def _of(kind: Kind) -> None:
    async def check(rig: Rig) -> None:
        done = await making.MAKE[kind](rig)
        await _reverses(done)
        await _reverses(done)

    title = f"{in_words(kind).capitalize()} is reversed; the reversal once more is answered 00, too"
    SECTION.add(kind.value, title, "9", check)


for _kind in _REVERSED:
    _of(_kind)


def _because(reason: str, what: str) -> None:
    async def check(rig: Rig) -> None:
        await _reverses(await making.sale(rig), reason=reason)

    SECTION.add(f"reason-{reason.lower()}", f"A reversal with reason {reason} ({what}) is answered 00", "9", check)


for _reason, _what in _REASONS.items():
    _because(_reason, _what)


@SECTION.case("9, 12")
async def unknown_reason(rig: Rig) -> None:
    """A reversal with another reason is answered 30"""
    await _reverses(await making.sale(rig), "30", reason="12")


@SECTION.case("9")
async def of_another_amount(rig: Rig) -> None:
    """A reversal of another amount is answered 64"""
    await _reverses(await making.sale(rig), "64", change={4: "000000000001"})


@SECTION.case("9")
async def of_a_declined_sale(rig: Rig) -> None:
    """The reversal of a sale that was declined is answered 12"""
    declined = (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, pin="")).must_be("55")
    await _reverses(declined, "12")


def _claimed(kind: Kind, by: Kind) -> None:
    async def check(rig: Rig) -> None:
        claim = await making.MAKE[by](rig)
        original = claim.claims
        require(original is not None, "the case has no original")
        if original is not None:
            await _reverses(original, "12")

    title = f"The reversal of {in_words(kind)} is answered 12 while {in_words(by)} of it stands"
    SECTION.add(f"{kind.value}-under-{by.value}", title, "9", check)


_claimed(Kind.SALE, Kind.VOID)
_claimed(Kind.PRE_AUTH, Kind.COMPLETION)
_claimed(Kind.PRE_AUTH, Kind.PRE_AUTH_VOID)
_claimed(Kind.INSTALMENT, Kind.INSTALMENT_VOID)


@SECTION.case("9")
async def before_its_sale(rig: Rig) -> None:
    """A reversal of what never came is answered 00; the sale that comes late is answered 12, and takes nothing"""
    desk = rig.main
    before = await available(desk, rig.debit)
    sale = desk.prepare(Kind.SALE, rig.debit, AMOUNT)
    answer = await desk.ask(desk.reversal(sale))
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    late = await desk.send(sale, rig.debit)
    late.must_be("12")
    await comes_to(desk, rig.debit, before)


@SECTION.case("9")
async def before_its_sale_repeated(rig: Rig) -> None:
    """A reversal of what never came may be repeated, before the late sale and after"""
    desk = rig.main
    await desk.ready()
    sale = desk.prepare(Kind.SALE, rig.debit, AMOUNT)
    for _ in range(2):
        answer = await desk.ask(desk.reversal(sale))
        expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    (await desk.send(sale, rig.debit)).must_be("12")
    answer = await desk.ask(desk.reversal(sale))
    expect("39 (response code) of the reversal after it", wanted=APPROVED, got=answer.text(39))


@SECTION.case("9")
async def before_the_answer(rig: Rig) -> None:
    """A reversal while the sale waits for its bank is answered 00; the sale is not approved, and takes nothing"""
    amount, desk = rig.amount("waits_minor"), rig.main
    before = await available(desk, rig.debit)
    sale = desk.prepare(Kind.SALE, rig.debit, amount)
    selling, reversing = await desk.dial(), await desk.dial()
    selling.send(sale.body)
    # By the time that a question has gone to a bank and back the sale, which left before it, waits for its own.
    (await desk.send(desk.prepare(Kind.BALANCE, rig.credit), rig.credit, line=reversing)).must_be(APPROVED)
    answer = await desk.ask(desk.reversal(sale), line=reversing)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    refused, body = await desk.hear(sale, selling)
    desk.judge(sale, refused, body)
    require(refused.text(39) not in (APPROVED, "10"), "39: the sale was approved behind its reversal")
    selling.close()
    reversing.close()
    await comes_to(desk, rig.debit, before)


@SECTION.case("9")
async def on_another_connection(rig: Rig) -> None:
    """A reversal may come on a connection of its own"""
    sale = await making.sale(rig)
    sale.desk.hang_up()
    await _reverses(sale)


@SECTION.case("9")
async def after_a_new_sign_on(rig: Rig) -> None:
    """A reversal may come under the keys of another session than its sale"""
    sale = await making.sale(rig)
    await sale.desk.sign_on()
    await _reverses(sale)


@SECTION.case("9")
async def other_fields_are_not_looked_at(rig: Rig) -> None:
    """A reversal may bring 38 and 61, too"""
    sale = await making.sale(rig)
    original = sale.original
    named = f"{original.batch}{original.stan}{original.date}"
    await _reverses(sale, change={38: original.authorization_code, 61: named})
