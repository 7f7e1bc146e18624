"""The same request once more, and the same trace number for another one."""

from __future__ import annotations

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.making import AMOUNT, in_words
from lianji.certify.cases.transfers import available, comes_to
from lianji.certify.desk import Done
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect, require

SECTION = Section("repetition", "Repetition")
_KINDS = (
    Kind.SALE, Kind.VOID, Kind.REFUND, Kind.PRE_AUTH, Kind.COMPLETION, Kind.INSTALMENT, Kind.BALANCE, Kind.TRANSFER
)  # fmt: skip


async def _repeated(done: Done) -> None:
    again = await done.desk.send(done.sent, done.card)
    expect("39 (response code) of the repetition", wanted=done.code, got=again.code)
    require(again.body == done.body, "the answer to the repetition is not the first one's bytes")


def _of(kind: Kind) -> None:
    async def check(rig: Rig) -> None:
        await _repeated(await making.MAKE[kind](rig))

    SECTION.add(
        kind.value, f"{in_words(kind).capitalize()} that is sent again is answered with the same bytes", "8", check
    )


for _kind in _KINDS:
    _of(_kind)


@SECTION.case("8")
async def declined_sale(rig: Rig) -> None:
    """A declined sale that is sent again is answered with the same bytes"""
    await _repeated((await rig.main.do(Kind.SALE, rig.debit, AMOUNT, pin="")).must_be("55"))


@SECTION.case("8")
async def taken_once(rig: Rig) -> None:
    """A sale that is sent three times takes its amount once"""
    before = await available(rig.main, rig.debit)
    sale = await making.sale(rig)
    for _ in range(2):
        await _repeated(sale)
    await comes_to(rig.main, rig.debit, before - AMOUNT)


@SECTION.case("8")
async def on_another_connection(rig: Rig) -> None:
    """A repetition on another connection is answered with the same bytes"""
    sale = await making.sale(rig)
    sale.desk.hang_up()
    await _repeated(sale)


@SECTION.case("8, 11")
async def another_amount(rig: Rig) -> None:
    """The same STAN with another amount is answered 94"""
    sale = await making.sale(rig)
    stan = sale.transaction.stan
    (await rig.main.do(Kind.SALE, rig.debit, AMOUNT + 1, stan=stan)).must_be("94")


@SECTION.case("8, 11")
async def another_card(rig: Rig) -> None:
    """The same STAN with another card is answered 94"""
    sale = await making.sale(rig)
    (await rig.main.do(Kind.SALE, rig.credit, AMOUNT, stan=sale.transaction.stan)).must_be("94")


@SECTION.case("8, 11")
async def another_kind(rig: Rig) -> None:
    """The same STAN for a transaction of another kind is answered 94"""
    sale = await making.sale(rig)
    (await rig.main.do(Kind.PRE_AUTH, rig.debit, AMOUNT, stan=sale.transaction.stan)).must_be("94")


@SECTION.case("11, 15")
async def another_original(rig: Rig) -> None:
    """The same STAN for a void of another sale is answered 94"""
    first, second = await making.sale(rig), await making.sale(rig)
    void = await rig.main.void(first)
    (await rig.main.about(Kind.VOID, second, stan=void.must_be("00").transaction.stan)).must_be("94")
