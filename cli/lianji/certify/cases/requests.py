"""What a request must have, and must not: fields, entry modes, PIN blocks, currency."""

from __future__ import annotations

from contracts.kinds import Kind
from contracts.pan import luhn_check_digit
from iso8583 import Field60, Value
from lianji.certify.case import Section
from lianji.certify.desk import Done
from lianji.certify.rig import Rig

SECTION = Section("request", "Fields of a request")
_AMOUNT = 4_70
_OTHER_TRACK = "D35122010000000000000"


async def _sale(rig: Rig, change: dict[int, Value | None], *, pin: str | None = "", keyed: bool = False) -> Done:
    """Of the credit card, which needs no PIN, unless the case is about one."""
    card = rig.credit if pin == "" else rig.debit
    return await rig.main.do(Kind.SALE, card, _AMOUNT, pin=pin, keyed=keyed, change=change)


def _row(name: str, title: str, clause: str, code: str, change: dict[int, Value | None], **more: object) -> None:
    async def check(rig: Rig) -> None:
        (await _sale(rig, change, **more)).must_be(code)  # type: ignore[arg-type]

    SECTION.add(name, title, clause, check)


for _number in (3, 4, 11, 22, 25, 49, 60):
    _row(f"without-field-{_number}", f"A sale without field {_number} is answered 30", "8, 12", "30", {_number: None})

_row("without-card", "A sale with neither card number nor track is answered 30", "8, 12", "30", {35: None})
_row("expiry-of-another-card", "An expiry that is not the track's is answered 30", "8, 12", "30", {14: "2501"})
_row("keyed-without-expiry", "A keyed card without field 14 is answered 30", "8, 12", "30", {14: None}, keyed=True)
_row("currency", "Another currency than 156 is answered 30", "8, 12", "30", {49: "840"})
_row("entry-mode", "An entry mode that is not served is answered 40", "8, 12", "40", {22: "032"})
_row("unknown-kind", "A transaction of no kind that there is is answered 40", "4, 12", "40", {3: "990000"})
_row("pin-flag-alone", "22 that ends in 1 without a PIN block is answered 30", "8, 12", "30", {22: "021"})
_row("pin-block-alone", "A PIN block beside a 22 that ends in 2 is answered 30", "8, 12", "30", {22: "022"}, pin=None)
_row("pin-block-without-53", "A PIN block without field 53 is answered 30", "3, 12", "30", {53: None}, pin=None)
_row("pin-block-of-another-format", "A 53 that the terminal is not registered for is answered 30", "3, 12", "30",
     {53: "3600000000000000"}, pin=None)  # fmt: skip
_row("tracks-encrypted", "A 53 that says that tracks are encrypted is answered 30", "3, 12", "30",
     {53: "2610000000000000"}, pin=None)  # fmt: skip
_row("pin-block-damaged", "A PIN block that holds no PIN for the card is answered 99", "7, 12", "99",
     {52: b"\x01\x23\x45\x67\x89\xab\xcd\xef"}, pin=None)  # fmt: skip
_row("amount-zero", "An amount of 0 is answered 13", "11", "13", {4: "0" * 12})


@SECTION.case("8, 12")
async def number_of_another_card(rig: Rig) -> None:
    """A card number that is not the track's is answered 30"""
    (await _sale(rig, {2: rig.debit.pan.clear()})).must_be("30")


@SECTION.case("8, 12")
async def track_too_short(rig: Rig) -> None:
    """A track without a service code is answered 30"""
    (await _sale(rig, {35: f"{rig.credit.pan.clear()}D{rig.credit.track.expiry}"})).must_be("30")


@SECTION.case("3, 12")
async def field_60_cut_short(rig: Rig) -> None:
    """A field 60 whose last part is cut short is answered 30"""
    await rig.main.ready()
    (await _sale(rig, {60: f"22{rig.main.batch}00"})).must_be("30")


@SECTION.case("11, 12")
async def batch_not_open(rig: Rig) -> None:
    """A sale of another batch than the open one is answered 77"""
    await rig.main.ready()
    other = f"{int(rig.main.batch) % 999999 + 1:06d}"
    (await _sale(rig, {60: Field60("22", other, "000").pack()})).must_be("77")


@SECTION.case("11, 15")
async def amount_in_an_inquiry(rig: Rig) -> None:
    """A balance inquiry with an amount is answered 30"""
    (await rig.main.do(Kind.BALANCE, rig.debit, change={4: "000000000100"})).must_be("30")


@SECTION.case("11")
async def over_the_limit(rig: Rig) -> None:
    """A sale over the merchant's limit per transaction is answered 61"""
    (await rig.main.do(Kind.SALE, rig.debit, rig.amount("limit_minor") + 1)).must_be("61")


@SECTION.case("11")
async def unknown_issuer(rig: Rig) -> None:
    """A card that no bank of the host issues is answered 15"""
    number = f"{rig.profile.unknown_bin}000000001"
    number += luhn_check_digit(number)
    (await _sale(rig, {35: number + _OTHER_TRACK})).must_be("15")


@SECTION.case("11")
async def check_digit(rig: Rig) -> None:
    """A card number with a wrong check digit is answered 14"""
    number = rig.credit.pan.clear()
    number = number[:-1] + str((int(number[-1]) + 1) % 10)
    (await _sale(rig, {35: number + _OTHER_TRACK})).must_be("14")


@SECTION.case("11")
async def card_check(rig: Rig) -> None:
    """A track with a wrong CVV is answered 59"""
    track = rig.credit.track
    cvv = track.discretionary()[:3]
    other = f"{(int(cvv) + 1) % 1000:03d}{track.discretionary()[3:]}"
    said = f"{rig.credit.pan.clear()}D{track.expiry}{track.service_code}{other}"
    (await _sale(rig, {35: said})).must_be("59")
