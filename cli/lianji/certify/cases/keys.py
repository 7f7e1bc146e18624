"""Every way to protect a message: key schemes, MAC algorithms, PIN formats."""

from __future__ import annotations

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.desk import APPROVED
from lianji.certify.rig import Rig
from lianji.certify.sealed import Sealed, refused_bare, tampered
from lianji.certify.verdict import expect, require
from terminal_sim.messages import SIGN_ON_SINGLE

SECTION = Section("keys", "Key schemes, MAC algorithms, PIN formats")
_AMOUNT = 2_50


def _sells(name: str, title: str, clause: str, part: str) -> None:
    async def check(rig: Rig) -> None:
        (await rig.desk(part).do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)

    SECTION.add(name, title, clause, check)


_sells("mac-x9-9", "A sale with PIN under MAC X9.9 is approved, and its answer has one", "6", "x9_9")
_sells("mac-x9-19", "A sale with PIN under MAC X9.19 is approved, and its answer has one", "6", "x9_19")
_sells("pin-format-3", "A PIN block of format 3 is taken", "7", "iso_3")
_sells("dukpt-tdes", "A sale with PIN under TDES DUKPT is approved", "14", "dukpt_tdes")
_sells("dukpt-aes", "A sale with PIN under AES DUKPT is approved", "14", "dukpt_aes")


@SECTION.case("6")
async def x9_19_needs_double_length(rig: Rig) -> None:
    """A terminal with X9.19 that asks for single-length keys is answered 40"""
    desk = rig.desk("x9_19")
    await desk.ready()
    answer, _ = await desk.raw(desk.sign_on_message(SIGN_ON_SINGLE))
    expect("39 (response code)", wanted="40", got=answer.text(39))


@SECTION.case("7")
async def pin_format_3_wrong_pin(rig: Rig) -> None:
    """A wrong PIN in a block of format 3 is answered 55"""
    wrong = await rig.desk("iso_3").do(Kind.BALANCE, rig.debit, pin=wrong_pin(rig.debit.pin))
    wrong.must_be("55")
    (await rig.desk("iso_3").do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)  # the count begins anew


def _every_message_has_its_keys(part: str) -> None:
    async def check(rig: Rig) -> None:
        desk = rig.desk(part)
        sale = (await desk.do(Kind.SALE, rig.debit, _AMOUNT)).must_be(APPROVED)
        answer = await desk.reverse(sale)
        expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))

    name = part.replace("_", "-")
    SECTION.add(f"{name}-reversal", "A reversal has keys of its own counter, and so has its answer", "14", check)


_every_message_has_its_keys("dukpt_tdes")
_every_message_has_its_keys("dukpt_aes")


@SECTION.case("14")
async def dukpt_sign_on_brings_no_keys(rig: Rig) -> None:
    """The sign-on of a terminal with DUKPT is answered without field 62"""
    desk = rig.desk("dukpt_tdes")
    answer = await desk.sign_on()
    require(62 not in answer.fields, "62: keys for a terminal that derives its own")


@SECTION.case("12, 14")
async def serial_number_missing(rig: Rig) -> None:
    """A message of a terminal with DUKPT without field 59 is answered 30"""
    desk = rig.desk("dukpt_tdes")
    await desk.ready()
    sale = desk.prepare(Kind.SALE, rig.credit, _AMOUNT, pin="")
    await _answered(rig, "dukpt_tdes", sale, {59: None}, "30")


@SECTION.case("12, 14")
async def serial_number_of_another(rig: Rig) -> None:
    """A serial number of another terminal is answered A0"""
    desk = rig.desk("dukpt_tdes")
    await desk.ready()
    sale = desk.prepare(Kind.SALE, rig.credit, _AMOUNT, pin="")
    field = sale.message.data(59)
    other = field[:8] + bytes([field[8] ^ 0x20]) + field[9:]  # a bit of the terminal number in the KSN
    await _answered(rig, "dukpt_tdes", sale, {59: other}, "A0")


@SECTION.case("12")
async def serial_number_with_session_keys(rig: Rig) -> None:
    """A field 59 of a terminal with session keys is answered 30"""
    desk = rig.main
    await desk.ready()
    field = bytes.fromhex("DF010AFF482110000001000001")
    sale = desk.prepare(Kind.SALE, rig.credit, _AMOUNT, pin="", change={59: field})
    answer, _ = await desk.raw(sale)
    refused_bare(answer, "30")


async def _answered(rig: Rig, part: str, sale: Sealed, change: dict[int, bytes | None], code: str) -> None:
    """Under the MAC that the message had before it was changed."""
    answer, _ = await rig.desk(part).raw(tampered(sale, change))
    refused_bare(answer, code)


def wrong_pin(pin: str) -> str:
    """Another one of as many digits."""
    return "".join(str((int(digit) + 1) % 10) for digit in pin)
