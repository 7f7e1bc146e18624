"""Refunds: whole and in parts, at any terminal of the merchant."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect

SECTION = Section("refund", "Refund")


@SECTION.case("15")
async def whole(rig: Rig) -> None:
    """A refund of a whole sale is approved"""
    (await rig.main.about(Kind.REFUND, await making.sale(rig))).must_be(APPROVED)


@SECTION.case("15")
async def in_parts(rig: Rig) -> None:
    """Refunds may be repeated until they come to the sale's amount; what would be more is answered 13"""
    sale = await making.sale(rig)
    (await rig.main.about(Kind.REFUND, sale, 4_00)).must_be(APPROVED)
    (await rig.main.about(Kind.REFUND, sale, 4_00)).must_be(APPROVED)
    (await rig.main.about(Kind.REFUND, sale, AMOUNT - 8_00 + 1)).must_be("13")
    (await rig.main.about(Kind.REFUND, sale, AMOUNT - 8_00)).must_be(APPROVED)
    (await rig.main.about(Kind.REFUND, sale, 1)).must_be("13")


@SECTION.case("15")
async def too_much(rig: Rig) -> None:
    """A refund of more than the sale is answered 13"""
    (await rig.main.about(Kind.REFUND, await making.sale(rig), AMOUNT + 1)).must_be("13")


@SECTION.case("15")
async def at_another_terminal(rig: Rig) -> None:
    """A refund at another terminal of the merchant is approved"""
    (await rig.desk("sibling").about(Kind.REFUND, await making.sale(rig))).must_be(APPROVED)


@SECTION.case("15")
async def at_another_merchant(rig: Rig) -> None:
    """A refund at another merchant's terminal is answered 25"""
    (await rig.desk("stranger").about(Kind.REFUND, await making.sale(rig))).must_be("25")


@SECTION.case("15")
async def of_an_unknown_sale(rig: Rig) -> None:
    """A refund of a STAN that was never used is answered 25"""
    sale = await making.sale(rig)
    (await rig.main.about(Kind.REFUND, sale, original=replace(sale.original, stan="999998"))).must_be("25")


@SECTION.case("15")
async def reference_number_differs(rig: Rig) -> None:
    """A refund whose 37 is not the sale's is answered 25"""
    first, second = await making.sale(rig), await making.sale(rig)
    named = replace(first.original, rrn=second.original.rrn)
    (await rig.main.about(Kind.REFUND, first, original=named)).must_be("25")


def _without(number: int) -> None:
    async def check(rig: Rig) -> None:
        (await rig.main.about(Kind.REFUND, await making.sale(rig), change={number: None})).must_be("30")

    SECTION.add(f"without-field-{number}", f"A refund without field {number} is answered 30", "12, 15", check)


_without(37)
_without(61)
_without(63)


@SECTION.case("15")
async def with_another_card(rig: Rig) -> None:
    """A refund to another card than the sale's is answered 12"""
    (await rig.main.about(Kind.REFUND, await making.sale(rig), card=rig.card("other"))).must_be("12")


@SECTION.case("15")
async def of_a_voided_sale(rig: Rig) -> None:
    """A refund of a sale that was voided is answered 12"""
    sale = await making.sale(rig)
    (await rig.main.void(sale)).must_be(APPROVED)
    (await rig.main.about(Kind.REFUND, sale)).must_be("12")


@SECTION.case("15")
async def of_a_pre_authorization(rig: Rig) -> None:
    """A refund of a pre-authorization is answered 12"""
    (await rig.main.about(Kind.REFUND, await making.pre_auth(rig))).must_be("12")


@SECTION.case("15")
async def of_a_completion(rig: Rig) -> None:
    """A refund of a completion is approved"""
    (await rig.main.about(Kind.REFUND, await making.completion(rig))).must_be(APPROVED)


@SECTION.case("15")
async def of_an_offline_sale(rig: Rig) -> None:
    """A refund of an offline sale is approved"""
    (await rig.main.about(Kind.REFUND, await making.offline_sale(rig))).must_be(APPROVED)


@SECTION.case("9, 15")
async def its_sale_is_not_reversed(rig: Rig) -> None:
    """The reversal of a sale of which a refund stands is answered 12"""
    sale = await making.sale(rig)
    (await rig.main.about(Kind.REFUND, sale, 1_00)).must_be(APPROVED)
    answer = await rig.main.reverse(sale)
    expect("39 (response code)", wanted="12", got=answer.text(39))
