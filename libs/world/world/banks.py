"""The banks of the world, their cards and the stop list, as banks.toml has them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from contracts.pan import Pan, luhn_check_digit
from contracts.response_codes import CAPTURE_CARD
from world.bank_file import BankEntry, CardEntry, read
from world.model import CREDIT, DEBIT, Card, Institution, StopEntry

FILE = Path(__file__).with_name("banks.toml")
STOPPED = "debit-stopped"
"""The card that the switch has on its stop list."""

_VERY_RICH = 10_000_000_000_00
_LOAD_SERIAL, _CHIP_SERIAL = 1000, 10_000
LOAD = "load-"
"""What the names of cards begin with that are there for load."""


@cache
def _entries() -> tuple[BankEntry, ...]:
    return read(FILE.read_text(encoding="utf-8"))


def institutions() -> tuple[Institution, ...]:
    return tuple(
        Institution(
            id=bank.id,
            code=bank.code,
            name=bank.name,
            name_en=bank.name_en,
            kind=bank.kind,
            bins=(bank.bin,),
            pin_format=bank.pin_format,
            currency=bank.currency,
            rate_millionths=bank.rate_millionths,
            decide_after_ms=bank.decide_after_ms,
            hold_days=bank.hold_days,
            part=bank.part,
            instalment_periods=bank.instalment_periods,
            instalment_fee_permille=bank.instalment_fee_permille,
            due_days=bank.due_days,
            least_permille=bank.least_permille,
            cryptogram_version=bank.cryptogram_version,
            contactless_minor=bank.contactless_minor,
        )
        for bank in _entries()
    )


def cards() -> tuple[Card, ...]:
    """The named ones first, bank by bank, then those for load, and those of them that have a chip."""
    named = (_card(bank, card, card.serial) for bank in _entries() for card in bank.cards)
    return (*named, *_for_load(chips=False), *_for_load(chips=True))


def load_cards(*, chips: bool = False) -> tuple[Card, ...]:
    """The cards that are there for load: to be swiped, or with a chip."""
    return tuple(_for_load(chips=chips))


def _for_load(*, chips: bool) -> Iterator[Card]:
    for bank in _entries():
        for n in range(1, (bank.load_chips if chips else bank.load_cards) + 1):
            name = f"{LOAD}{bank.kind}-{'ic-' if chips else ''}{n:03d}"
            entry = CardEntry(name=name, serial=1, money_minor=_VERY_RICH, chip=chips)
            yield _card(bank, entry, (_CHIP_SERIAL if chips else _LOAD_SERIAL) + n)


def _card(bank: BankEntry, entry: CardEntry, serial: int) -> Card:
    """A card whose number is BIN, 9 digits of serial and the check digit; its account is named after institution and serial."""
    partial = f"{bank.bin}{serial:09d}"
    return Card(
        name=entry.name,
        pan=Pan(partial + luhn_check_digit(partial)),
        expiry=entry.expiry,
        service_code="201" if entry.chip else "101",  # ISO/IEC 7813: 2, use the chip where there is one
        pin=entry.pin,
        issuer=bank.id,
        kind=bank.kind,
        account=f"{bank.id}-{serial:06d}",
        status=entry.status,
        opening_minor=entry.money_minor if bank.kind == DEBIT else 0,
        credit_limit_minor=entry.money_minor if bank.kind == CREDIT else 0,
        chip=entry.chip,
        chip_only=entry.chip_only,
        captured=entry.captured,
        not_permitted=entry.not_permitted,
        most_minor=entry.most_minor,
        day_minor=entry.day_minor,
        day_count=entry.day_count,
        response_code=entry.response_code,
        note=entry.note,
    )


def stop_list() -> tuple[StopEntry, ...]:
    stopped = next(card for card in cards() if card.name == STOPPED)
    prefixes = (prefix for bank in _entries() for prefix in bank.stopped_prefixes)
    return (
        StopEntry(prefix_or_pan=stopped.pan, reason=CAPTURE_CARD),
        *(StopEntry(prefix_or_pan=Pan(prefix), reason=CAPTURE_CARD) for prefix in prefixes),
    )
