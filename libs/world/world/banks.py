"""Two invented banks, their cards, and the stop list."""

from __future__ import annotations

from typing import Literal

from contracts.pan import Pan, luhn_check_digit
from contracts.response_codes import CAPTURE_CARD
from security_module import PinFormat
from world.model import ACTIVE, CREDIT, DEBIT, LOST, Card, Institution, StopEntry

HUAXING, NANHAI = "huaxing", "nanhai"
_BINS = {HUAXING: "629101", NANHAI: "628202"}
_KINDS: dict[str, Literal["debit", "credit"]] = {HUAXING: DEBIT, NANHAI: CREDIT}

_PLENTY = 1_000_000_00
_VERY_RICH = 10_000_000_000_00
LOAD_CARDS = 128


def institutions() -> tuple[Institution, ...]:
    return (
        Institution(
            id=HUAXING,
            code="64910000",
            name="华星银行",
            name_en="HUAXING BANK",
            kind=DEBIT,
            bins=(_BINS[HUAXING],),
        ),
        Institution(
            id=NANHAI,
            code="64820000",
            name="南海信用银行",
            name_en="NANHAI CREDIT BANK",
            kind=CREDIT,
            bins=(_BINS[NANHAI],),
            pin_format=PinFormat.ISO_4,
        ),
    )


def _card(
    name: str,
    issuer: str,
    serial: int,
    money_minor: int,
    *,
    pin: str = "123456",
    expiry: str = "3512",
    status: Literal["active", "lost"] = ACTIVE,
) -> Card:
    """A card whose number is BIN, 9 digits of serial and the check digit; its account is named after institution and serial."""
    partial = f"{_BINS[issuer]}{serial:09d}"
    kind = _KINDS[issuer]
    return Card(
        name=name,
        pan=Pan(partial + luhn_check_digit(partial)),
        expiry=expiry,
        service_code="101",
        pin=pin,
        issuer=issuer,
        kind=kind,
        account=f"{issuer}-{serial:06d}",
        status=status,
        opening_minor=money_minor if kind == DEBIT else 0,
        credit_limit_minor=money_minor if kind == CREDIT else 0,
    )


def cards() -> tuple[Card, ...]:
    named = (
        _card("debit-1", HUAXING, 1, _PLENTY),
        _card("debit-2", HUAXING, 2, _PLENTY, pin="246810"),
        _card("debit-poor", HUAXING, 3, 10_00),
        _card("debit-lost", HUAXING, 4, _PLENTY, status=LOST),
        _card("debit-stopped", HUAXING, 5, _PLENTY),
        _card("credit-1", NANHAI, 1, _PLENTY),
        _card("credit-2", NANHAI, 2, _PLENTY, pin="135790"),
        _card("credit-expired", NANHAI, 3, _PLENTY, expiry="2001"),
    )
    load = (
        _card(f"load-{kind}-{n:03d}", issuer, 1000 + n, _VERY_RICH)
        for issuer, kind in _KINDS.items()
        for n in range(1, LOAD_CARDS + 1)
    )
    return (*named, *load)


def stop_list() -> tuple[StopEntry, ...]:
    stopped = next(card for card in cards() if card.name == "debit-stopped")
    return (
        StopEntry(prefix_or_pan=stopped.pan, reason=CAPTURE_CARD),
        StopEntry(prefix_or_pan=Pan(f"{_BINS[NANHAI]}9999"), reason=CAPTURE_CARD),
    )
