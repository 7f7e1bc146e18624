"""MACs of requests and answers."""

from __future__ import annotations

from contracts.kinds import Kind
from iso8583 import Message
from lianji.certify.case import Section
from lianji.certify.cases.keys import wrong_pin
from lianji.certify.desk import APPROVED
from lianji.certify.rig import Rig
from lianji.certify.sealed import Sealed, refused_bare, tampered
from lianji.certify.verdict import expect, require

SECTION = Section("mac", "MAC")
_AMOUNT = 3_60


async def _mac_error(rig: Rig, sealed: Sealed) -> Message:
    answer, _ = await rig.main.raw(sealed)
    refused_bare(answer, "A0")
    expect("processing requirement (header)", wanted="3", got=answer.header.processing)
    return answer


async def _sale(rig: Rig) -> Sealed:
    await rig.main.ready()
    return rig.main.prepare(Kind.SALE, rig.debit, _AMOUNT)


@SECTION.case("6, 11, 12")
async def wrong(rig: Rig) -> None:
    """A wrong MAC is answered A0 without a MAC, processing requirement 3"""
    sale = await _sale(rig)
    await _mac_error(rig, Sealed(sale.message, sale.body[:-8] + bytes(b ^ 1 for b in sale.body[-8:])))


@SECTION.case("8, 11")
async def wrong_on_a_repetition(rig: Rig) -> None:
    """An approved sale that is sent again with a wrong MAC is answered A0 without a MAC, and stands"""
    sale = (await rig.main.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    await _mac_error(rig, Sealed(sale.sent.message, sale.sent.body[:-1] + bytes([sale.sent.body[-1] ^ 1])))
    (await rig.main.void(sale)).must_be(APPROVED)


@SECTION.case("6, 12")
async def one_bit(rig: Rig) -> None:
    """A MAC that differs in its last bit is answered A0"""
    sale = await _sale(rig)
    await _mac_error(rig, Sealed(sale.message, sale.body[:-1] + bytes([sale.body[-1] ^ 1])))


def _tampered(name: str, what: str, change: dict[int, str | bytes | None]) -> None:
    async def check(rig: Rig) -> None:
        await _mac_error(rig, tampered(await _sale(rig), change))

    SECTION.add(f"tampered-{name}", f"A message whose {what} was changed behind its MAC is answered A0", "6, 12", check)


_tampered("amount", "amount", {4: "000000000001"})
_tampered("stan", "trace number", {11: "999999"})
_tampered("last-field", "last field before the MAC", {63: "CUP"})


@SECTION.case("11, 12")
async def missing(rig: Rig) -> None:
    """A sale without field 64 is answered 30 without a MAC"""
    await rig.main.ready()
    sale = rig.main.prepare(Kind.SALE, rig.debit, _AMOUNT, change={64: None})
    answer, _ = await rig.main.raw(sale)
    refused_bare(answer, "30")


@SECTION.case("6, 9")
async def wrong_on_a_reversal(rig: Rig) -> None:
    """A reversal with a wrong MAC is answered A0, and reverses nothing"""
    desk = rig.main
    sale = (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    reversal = desk.reversal(sale.sent)
    await _mac_error(rig, Sealed(reversal.message, reversal.body[:-8] + b"00000000"))
    (await desk.void(sale)).must_be(APPROVED)


@SECTION.case("6")
async def of_an_approval(rig: Rig) -> None:
    """The answer to a sale has a right MAC"""
    sale = (await rig.main.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    require(64 in sale.answer.fields, "64: the answer has no MAC")


@SECTION.case("6, 11")
async def of_a_refusal(rig: Rig) -> None:
    """The answer to a sale that the bank refuses has a right MAC"""
    refused = (await rig.main.do(Kind.SALE, rig.debit, _AMOUNT, pin=wrong_pin(rig.debit.pin))).must_be("55")
    require(64 in refused.answer.fields, "64: the answer has no MAC")
    (await rig.main.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)  # the count of wrong PINs begins anew


@SECTION.case("6, 11")
async def of_the_gateways_refusal(rig: Rig) -> None:
    """The answer to a message that the gateway refuses by itself, behind its MAC, has a right MAC"""
    refused = (await rig.main.do(Kind.BALANCE, rig.debit, change={49: "840"})).must_be("30")
    require(64 in refused.answer.fields, "64: the answer has no MAC")


@SECTION.case("6")
async def of_a_reversals_answer(rig: Rig) -> None:
    """The answer to a reversal has a right MAC"""
    sale = (await rig.main.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
    answer = await rig.main.reverse(sale)
    require(64 in answer.fields, "64: the answer has no MAC")
