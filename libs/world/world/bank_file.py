"""What a file of banks may say (TOML), and what is wrong with one that says something else."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.kinds import Kind
from contracts.money import CNY
from contracts.response_codes import RESPONSE_CODES
from security_module import PinFormat
from world.model import ACTIVE, CREDIT, CardStatus

_LOAD_SERIAL = 1000
"""Serials of load cards follow this one."""

Minor = Annotated[int, Meta(ge=0)]
Digits = Annotated[str, Meta(pattern=r"^[0-9]+$")]


class BankFileError(ValueError):
    """A file of banks that cannot be used. The message names the field and what to write."""


class CardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One card; world.model.Card says what the fields mean."""

    name: Annotated[str, Meta(min_length=1)]
    serial: Annotated[int, Meta(ge=1, le=_LOAD_SERIAL)]
    money_minor: Minor
    """A debit account's opening balance, a credit account's limit."""
    pin: Annotated[str, Meta(pattern=r"^[0-9]{4,12}$")] = "123456"
    expiry: Annotated[str, Meta(pattern=r"^[0-9]{2}(0[1-9]|1[0-2])$")] = "3512"
    status: CardStatus = ACTIVE
    chip: bool = False
    chip_only: bool = False
    captured: bool = False
    not_permitted: tuple[Kind, ...] = ()
    most_minor: Minor = 0
    day_minor: Minor = 0
    day_count: Annotated[int, Meta(ge=0)] = 0
    response_code: str = ""
    note: str = ""


class BankEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One bank; world.model.Institution says what the fields mean."""

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$")]
    code: Annotated[str, Meta(pattern=r"^[0-9]{8,11}$")]
    name: str
    name_en: str
    kind: Literal["debit", "credit"]
    bin: Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
    cards: tuple[CardEntry, ...]
    load_cards: Annotated[int, Meta(ge=0, le=9000)] = 0
    """Cards with as good as no end of money for load, beside those that are named."""
    load_chips: Annotated[int, Meta(ge=0, le=9000)] = 0
    """The same with a chip."""
    stopped_prefixes: tuple[Digits, ...] = ()
    """For the switch's stop list."""
    pin_format: PinFormat = PinFormat.ISO_0
    currency: Annotated[str, Meta(pattern=r"^[0-9]{3}$")] = CNY
    rate_millionths: Annotated[int, Meta(ge=1)] = 1_000_000
    decide_after_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    hold_days: Annotated[int, Meta(ge=1, le=400)] = 30
    part: bool = True
    instalment_periods: tuple[Annotated[int, Meta(ge=1, le=99)], ...] = ()
    instalment_fee_permille: Annotated[int, Meta(ge=0, le=1000)] = 0
    due_days: Annotated[int, Meta(ge=0, le=60)] = 0
    least_permille: Annotated[int, Meta(ge=0, le=1000)] = 1000
    cryptogram_version: Literal[10, 18] = 18
    contactless_minor: Minor = 1_000_00


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    banks: Annotated[tuple[BankEntry, ...], Meta(min_length=1)]


def read(text: str) -> tuple[BankEntry, ...]:
    """The banks of a file; raises BankFileError."""
    try:
        banks = msgspec.convert(tomllib.loads(text), _File).banks
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BankFileError(f"banks: {error}") from None
    _different("id", [bank.id for bank in banks])
    _different("bin", [bank.bin for bank in banks])
    _different("code", [bank.code for bank in banks])
    _different("cards.name", [card.name for bank in banks for card in bank.cards])
    # Load cards are named by kind.
    _different("load_cards: kind", [bank.kind for bank in banks if bank.load_cards or bank.load_chips])
    for bank in banks:
        _consistent(bank)
    return banks


def _different(field: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise BankFileError(f"banks.{field}: {value!r} stands twice; each must be of its own")


def _consistent(bank: BankEntry) -> None:
    _different(f"{bank.id}.cards.serial", [str(card.serial) for card in bank.cards])
    foreign = bank.currency != CNY
    if foreign and (bank.part or bank.instalment_periods):
        # A part and the terms of an instalment are said in the currency in which was asked; its ledger knows none but its own.
        raise BankFileError(
            f"banks.{bank.id}.currency: a bank that books in {bank.currency} needs part = false and no instalments"
        )
    if not foreign and bank.rate_millionths != 1_000_000:
        raise BankFileError(f"banks.{bank.id}.rate_millionths: only for a bank with another currency than {CNY}")
    if bank.instalment_periods and bank.kind != CREDIT:
        raise BankFileError(f"banks.{bank.id}.instalment_periods: only credit cards are paid in instalments")
    if bank.due_days and bank.kind != CREDIT:
        raise BankFileError(f"banks.{bank.id}.due_days: only what is owed on a credit card is due")
    for card in bank.cards:
        if card.chip_only and not card.chip:
            raise BankFileError(f"banks.{bank.id}.cards.{card.name}.chip_only: only for a card with chip = true")
        if card.response_code and card.response_code not in RESPONSE_CODES:
            raise BankFileError(f"banks.{bank.id}.cards.{card.name}.response_code: {card.response_code!r} is no code")
