"""Sales: swiped and keyed, with a PIN and without, in part; wrong PINs; who may not sell."""

from __future__ import annotations

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.cases.keys import wrong_pin
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED, IN_PART
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect, require

SECTION = Section("sale", "Sale")
_MORE_THAN_THERE_IS = 100_00
_TRIES = 4
"""More than any bank here allows."""


@SECTION.case("8")
async def swiped_with_pin(rig: Rig) -> None:
    """A swiped card with the right PIN is approved"""
    (await rig.main.do(Kind.SALE, rig.debit, AMOUNT)).must_be(APPROVED)


@SECTION.case("7, 8")
async def credit_without_pin(rig: Rig) -> None:
    """A swiped credit card is approved without a PIN"""
    (await rig.main.do(Kind.SALE, rig.credit, AMOUNT, pin="")).must_be(APPROVED)


@SECTION.case("7, 8")
async def credit_with_pin(rig: Rig) -> None:
    """A swiped credit card with the right PIN is approved"""
    (await rig.main.do(Kind.SALE, rig.credit, AMOUNT)).must_be(APPROVED)


@SECTION.case("7")
async def debit_without_pin(rig: Rig) -> None:
    """A debit card without a PIN is answered 55"""
    (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, pin="")).must_be("55")


@SECTION.case("8")
async def keyed(rig: Rig) -> None:
    """A keyed card is approved where the merchant may key"""
    (await rig.main.do(Kind.SALE, rig.credit, AMOUNT, pin="", keyed=True)).must_be(APPROVED)


@SECTION.case("8, 15")
async def keyed_with_pin(rig: Rig) -> None:
    """A keyed card with the right PIN is approved"""
    (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, keyed=True)).must_be(APPROVED)


@SECTION.case("8")
async def number_beside_the_track(rig: Rig) -> None:
    """A swiped card may come with its number in field 2, too"""
    change = {2: rig.debit.pan.clear()}
    (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, change=change)).must_be(APPROVED)


@SECTION.case("7, 11")
async def wrong_pins(rig: Rig) -> None:
    """A wrong PIN is answered 55; a sale with the right one begins the count anew"""
    for _ in range(2):
        for _ in range(2):
            (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, pin=wrong_pin(rig.debit.pin))).must_be("55")
        (await rig.main.do(Kind.SALE, rig.debit, AMOUNT)).must_be(APPROVED)


@SECTION.case("11")
async def too_many_wrong_pins(rig: Rig) -> None:
    """After too many wrong PINs the right one is refused, too (the card stays locked)"""
    card = rig.card("guessed")
    for _ in range(_TRIES):
        tried = await rig.main.do(Kind.SALE, card, AMOUNT, pin=wrong_pin(card.pin))
        if tried.code != "55":
            break
    tried.must_be(card.expect)
    (await rig.main.do(Kind.SALE, card, AMOUNT)).must_be(card.expect)


@SECTION.case("15")
async def in_part(rig: Rig) -> None:
    """A terminal that says that it can take a part (60.6) is answered 10, and field 4 is what there is"""
    poor = rig.card("poor")
    sale = (await rig.main.do(Kind.SALE, poor, _MORE_THAN_THERE_IS, takes_part=True)).must_be(IN_PART)
    expect("4 (amount)", wanted=poor.holds_minor, got=sale.worth_minor)


@SECTION.case("15")
async def not_in_part(rig: Rig) -> None:
    """Where the terminal does not say so, more than there is is answered 51"""
    (await rig.main.do(Kind.SALE, rig.card("poor"), _MORE_THAN_THERE_IS)).must_be("51")


@SECTION.case("15")
async def part_not_needed(rig: Rig) -> None:
    """A terminal that can take a part gets all where there is enough"""
    sale = (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, takes_part=True)).must_be(APPROVED)
    expect("4 (amount)", wanted=AMOUNT, got=sale.worth_minor)


@SECTION.case("15")
async def part_voided(rig: Rig) -> None:
    """The void of a partial approval repeats the part"""
    sale = await rig.main.do(Kind.SALE, rig.card("poor"), _MORE_THAN_THERE_IS, takes_part=True)
    sale.must_be(IN_PART)
    (await rig.main.void(sale, _MORE_THAN_THERE_IS)).must_be("64")
    (await rig.main.void(sale)).must_be(APPROVED)


@SECTION.case("9, 15")
async def part_reversed(rig: Rig) -> None:
    """The reversal of a partial approval repeats the amount that was asked for"""
    poor = rig.card("poor")
    sale = (await rig.main.do(Kind.SALE, poor, _MORE_THAN_THERE_IS, takes_part=True)).must_be(IN_PART)
    answer = await rig.main.reverse(sale, change={4: f"{poor.holds_minor:012d}"})
    expect("39 (response code), by the part", wanted="64", got=answer.text(39))
    answer = await rig.main.reverse(sale)
    expect("39 (response code), by what was asked", wanted=APPROVED, got=answer.text(39))


def _may_not(name: str, title: str, part: str, kind: Kind, code: str, *, keyed: bool = False) -> None:
    async def check(rig: Rig) -> None:
        target = rig.card("other").pan if kind is Kind.TRANSFER else None
        done = await rig.desk(part).do(kind, rig.debit, AMOUNT, keyed=keyed, target=target)
        done.must_be(code)

    SECTION.add(name, title, "11", check)


_may_not(
    "keyed-where-not-allowed",
    "A card keyed at a merchant that may not is answered 58",
    "unkeyed",
    Kind.SALE,
    "58",
    keyed=True,
)
_may_not("at-a-transfer-terminal", "A sale at a terminal for transfers is answered 58", "transfer", Kind.SALE, "58")
_may_not(
    "transfer-in-a-shop",
    "A transfer at a terminal that is not for transfers is answered 58",
    "main",
    Kind.TRANSFER,
    "58",
)


@SECTION.case("8")
async def at_the_limit(rig: Rig) -> None:
    """A sale of the merchant's limit per transaction is approved"""
    (await rig.main.do(Kind.SALE, rig.debit, rig.amount("limit_minor"))).must_be(APPROVED)


@SECTION.case("9, 11")
async def bank_silent(rig: Rig) -> None:
    """A sale that its bank does not answer is answered 68 or 98, and is not approved when it is sent again"""
    sale = await rig.main.do(Kind.SALE, rig.debit, rig.amount("silent_minor"))
    require(sale.code in ("68", "98"), f"39 (response code): expected 68 or 98, got {sale.code}")
    again = await rig.main.send(sale.sent, rig.debit)
    expect("39 (response code) of the repetition", wanted=sale.code, got=again.code)
