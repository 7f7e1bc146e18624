"""Voids of sales: what they undo, and what they may not."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.keys import wrong_pin
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect

SECTION = Section("void", "Void of a sale")


@SECTION.case("15")
async def voided(rig: Rig) -> None:
    """A void of a sale of the open batch is approved"""
    (await rig.main.void(await making.sale(rig))).must_be(APPROVED)


@SECTION.case("15")
async def without_pin(rig: Rig) -> None:
    """A void of a debit card's sale needs no PIN"""
    (await rig.main.void(await making.sale(rig), pin="")).must_be(APPROVED)


@SECTION.case("15")
async def with_a_wrong_pin(rig: Rig) -> None:
    """A void whose PIN was keyed, and is wrong, is answered 55"""
    sale = await making.sale(rig)
    (await rig.main.void(sale, pin=wrong_pin(rig.debit.pin))).must_be("55")
    await making.sale(rig)  # the count of wrong PINs begins anew


@SECTION.case("15")
async def twice(rig: Rig) -> None:
    """A second void of the same sale is answered 12"""
    sale = await making.sale(rig)
    (await rig.main.void(sale)).must_be(APPROVED)
    (await rig.main.void(sale)).must_be("12")


@SECTION.case("15")
async def of_another_amount(rig: Rig) -> None:
    """A void of another amount is answered 64, and the sale may still be voided"""
    sale = await making.sale(rig)
    (await rig.main.void(sale, AMOUNT - 1)).must_be("64")
    (await rig.main.void(sale)).must_be(APPROVED)


@SECTION.case("15")
async def of_an_unknown_sale(rig: Rig) -> None:
    """A void of a STAN that was never used is answered 25"""
    sale = await making.sale(rig)
    (await rig.main.void(sale, original=replace(sale.original, stan="999998"))).must_be("25")


@SECTION.case("15")
async def reference_number_differs(rig: Rig) -> None:
    """A void whose 37 is not the sale's is answered 25"""
    first, second = await making.sale(rig), await making.sale(rig)
    (await rig.main.void(first, original=replace(first.original, rrn=second.original.rrn))).must_be("25")


@SECTION.case("15")
async def authorization_code_differs(rig: Rig) -> None:
    """A void whose 38 is there and is not the sale's is answered 25"""
    sale = await making.sale(rig)
    (await rig.main.void(sale, original=replace(sale.original, authorization_code="ZZZZZZ"))).must_be("25")


@SECTION.case("15")
async def without_authorization_code(rig: Rig) -> None:
    """A void need not name the authorization code"""
    sale = await making.sale(rig)
    (await rig.main.void(sale, original=replace(sale.original, authorization_code=""))).must_be(APPROVED)


def _without(number: int) -> None:
    async def check(rig: Rig) -> None:
        (await rig.main.void(await making.sale(rig), change={number: None})).must_be("30")

    SECTION.add(f"without-field-{number}", f"A void without field {number} is answered 30", "12, 15", check)


_without(37)
_without(61)


@SECTION.case("3, 15")
async def no_such_day(rig: Rig) -> None:
    """A void whose 61 names no month and day is answered 30"""
    sale = await making.sale(rig)
    (await rig.main.void(sale, original=replace(sale.original, date="1332"))).must_be("30")


@SECTION.case("15")
async def of_itself(rig: Rig) -> None:
    """A void that names itself is answered 30"""
    sale = await making.sale(rig)
    stan = rig.main.next_stan()
    (await rig.main.void(sale, original=replace(sale.original, stan=stan), stan=stan)).must_be("30")


@SECTION.case("15")
async def at_another_terminal(rig: Rig) -> None:
    """A void at another terminal of the merchant is answered 25"""
    (await rig.desk("sibling").void(await making.sale(rig))).must_be("25")


@SECTION.case("15")
async def with_another_card(rig: Rig) -> None:
    """A void with another card than the sale's is answered 12"""
    (await rig.main.void(await making.sale(rig), card=rig.card("other"))).must_be("12")


@SECTION.case("15")
async def of_a_declined_sale(rig: Rig) -> None:
    """A void of a sale that was declined is answered 12"""
    declined = (await rig.main.do(Kind.SALE, rig.debit, AMOUNT, pin="")).must_be("55")
    (await rig.main.void(declined)).must_be("12")


@SECTION.case("15")
async def of_a_reversed_sale(rig: Rig) -> None:
    """A void of a sale that was reversed is answered 12"""
    sale = await making.sale(rig)
    answer = await rig.main.reverse(sale)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    (await rig.main.void(sale)).must_be("12")


@SECTION.case("15")
async def of_another_kind(rig: Rig) -> None:
    """A void of a sale (60.1 = 23) that names a pre-authorization is answered 12"""
    held = await making.pre_auth(rig)
    (await rig.main.about(Kind.VOID, held)).must_be("12")


@SECTION.case("15")
async def of_a_refunded_sale(rig: Rig) -> None:
    """A void of a sale that was refunded is answered 12"""
    sale = await making.sale(rig)
    (await rig.main.about(Kind.REFUND, sale, 1_00)).must_be(APPROVED)
    (await rig.main.void(sale)).must_be("12")


@SECTION.case("9, 15")
async def reversed_and_made_again(rig: Rig) -> None:
    """When a void was reversed, its sale stands again, and may be voided"""
    sale = await making.sale(rig)
    void = (await rig.main.void(sale)).must_be(APPROVED)
    answer = await rig.main.reverse(void)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    (await rig.main.void(sale)).must_be(APPROVED)
