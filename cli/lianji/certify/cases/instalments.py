"""Instalment sales: plans, terms, voids."""

from __future__ import annotations

from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from iso8583 import FormatError, Terms62
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.making import GOODS
from lianji.certify.desk import APPROVED, Done
from lianji.certify.profile import CardEntry
from lianji.certify.rig import Rig
from lianji.certify.verdict import Failed, expect

SECTION = Section("instalment", "Instalment sale")
_AMOUNT = 100_00


async def _sale(rig: Rig, plan: InstalmentPlan, card: CardEntry | None = None, **more: object) -> Done:
    return await rig.main.do(Kind.INSTALMENT, card or rig.credit, _AMOUNT, plan=plan, **more)


async def _terms(rig: Rig, fee_mode: str) -> Terms62:
    """Of an approval, whose sums must be those of the plan."""
    offered = rig.instalments
    sale = await _sale(rig, InstalmentPlan(periods=offered.periods, goods=GOODS, fee_mode=fee_mode))
    try:
        terms = Terms62.parse(sale.must_be(APPROVED).answer.data(62))
    except FormatError as error:
        raise Failed(str(error)) from None
    fee = _AMOUNT * offered.fee_permille * offered.periods // 1000
    expect("62, first payment", wanted=_AMOUNT // offered.periods + _AMOUNT % offered.periods, got=terms.first_minor)
    expect("62, fee in all", wanted=fee, got=terms.fee_minor)
    expect("62, fee mode", wanted=fee_mode, got=terms.fee_mode)
    expect("62, currency", wanted="156", got=terms.currency)
    return terms


@SECTION.case("15")
async def fee_spread(rig: Rig) -> None:
    """The terms of an instalment sale whose fee is spread over the periods"""
    terms = await _terms(rig, "0")
    share = terms.fee_minor // rig.instalments.periods
    expect("62, fee of each period", wanted=share, got=terms.period_fee_minor)


@SECTION.case("15")
async def fee_at_once(rig: Rig) -> None:
    """The terms of an instalment sale whose fee is paid with the first payment"""
    terms = await _terms(rig, "1")
    expect("62, fee with the first payment", wanted=terms.fee_minor, got=terms.first_fee_minor)
    expect("62, fee of each period", wanted=0, got=terms.period_fee_minor)


@SECTION.case("11, 15")
async def periods_not_offered(rig: Rig) -> None:
    """Periods that the bank does not offer are answered 57"""
    (await _sale(rig, InstalmentPlan(periods=rig.instalments.refused_periods, goods=GOODS))).must_be("57")


@SECTION.case("11, 15")
async def debit_card(rig: Rig) -> None:
    """An instalment sale on a debit card is answered 57"""
    (await _sale(rig, InstalmentPlan(periods=rig.instalments.periods, goods=GOODS), rig.debit)).must_be("57")


@SECTION.case("12, 15")
async def without_a_plan(rig: Rig) -> None:
    """An instalment sale without field 62 is answered 30"""
    plan = InstalmentPlan(periods=rig.instalments.periods, goods=GOODS)
    (await _sale(rig, plan, change={62: None})).must_be("30")


@SECTION.case("12, 15")
async def plan_cut_short(rig: Rig) -> None:
    """An instalment sale whose field 62 is too short is answered 30"""
    plan = InstalmentPlan(periods=rig.instalments.periods, goods=GOODS)
    (await _sale(rig, plan, change={62: b"06TEA SET"})).must_be("30")


@SECTION.case("15")
async def goods_like_a_card_number(rig: Rig) -> None:
    """Goods with as many digits as a card number are answered 30"""
    (await _sale(rig, InstalmentPlan(periods=rig.instalments.periods, goods="1234 5678 9012"))).must_be("30")


@SECTION.case("15")
async def voided(rig: Rig) -> None:
    """An instalment sale is voided once; a second void is answered 12"""
    sale = await making.instalment(rig)
    (await rig.main.void(sale)).must_be(APPROVED)
    (await rig.main.void(sale)).must_be("12")


@SECTION.case("15")
async def not_by_a_sales_void(rig: Rig) -> None:
    """The void of a sale (25 = 00) does not undo an instalment sale: 12"""
    (await rig.main.about(Kind.VOID, await making.instalment(rig))).must_be("12")


@SECTION.case("15")
async def not_refunded(rig: Rig) -> None:
    """A refund of an instalment sale is answered 12"""
    (await rig.main.about(Kind.REFUND, await making.instalment(rig))).must_be("12")
