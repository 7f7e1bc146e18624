"""What a file of the switch's own rules may say (TOML), and what is wrong with one that says something else.

What is left out is no rule. Amounts are minor units of the renminbi.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.kinds import Kind
from world.model import World

FILE = Path(__file__).with_name("switch.toml")

Above0 = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Category = Annotated[str, Meta(pattern=r"^[0-9]{4}$")]
"""A merchant category code (ISO 18245)."""


class SwitchFileError(ValueError):
    """A file of rules that cannot be used. The message names the field and what to write."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class VelocityEntry(_Entry, frozen=True, kw_only=True):
    """How much may be asked for within a time."""

    scope: Literal["card", "terminal"]
    window_s: Annotated[int, Meta(ge=1, le=86_400 * 31)]
    count: Annotated[int, Meta(ge=0)] = 0
    """Transactions: more is answered 65; 0: any number."""
    amount_minor: Annotated[int, Meta(ge=0)] = 0
    """What they come to: more is answered 61; 0: any amount."""


class FloorEntry(_Entry, frozen=True, kw_only=True):
    """Below its floor limit a terminal need not ask (EMV 9F1B)."""

    merchant: str
    floor_minor: Annotated[int, Meta(ge=0)]
    """The most that an offline sale may be worth: more is answered 61; 0: there are none."""


class CategoryEntry(_Entry, frozen=True, kw_only=True):
    """What merchants of a category may do. One that is not named may do what it may."""

    category: Category
    kinds: tuple[Kind, ...]


class CardsEntry(_Entry, frozen=True, kw_only=True):
    """What the cards of a bank may not do, and with which merchants they may do nothing."""

    institution: str
    not_kinds: tuple[Kind, ...] = ()
    not_categories: tuple[Category, ...] = ()


class BreakerEntry(_Entry, frozen=True, kw_only=True):
    """When a bank that is silent is no longer asked."""

    silences: Above0
    """In a row."""
    within_s: Seconds
    """From the first of them to the last."""
    probe_s: Seconds
    """How long nobody asks; then one request does."""


class StandInEntry(_Entry, frozen=True, kw_only=True):
    """For how much the switch approves sales in the stead of a bank that it cannot reach."""

    institution: str
    floor_minor: Above0
    """The most that one may be worth."""
    card_minor: Above0
    """What those of one card may come to, as long as the bank has not been told of them; of each shard."""
    card_most: Above0
    """How many they may be."""


class CutOverEntry(_Entry, frozen=True, kw_only=True):
    """When the switch ends a business day by itself."""

    at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    """HH:MM in the merchants' zone: what comes from then on is of the next day."""


class SwitchRules(_Entry, frozen=True, kw_only=True):
    """A whole file."""

    velocity: tuple[VelocityEntry, ...] = ()
    floors: tuple[FloorEntry, ...] = ()
    categories: tuple[CategoryEntry, ...] = ()
    cards: tuple[CardsEntry, ...] = ()
    breaker: BreakerEntry | None = None
    cut_over: CutOverEntry | None = None
    stand_in: tuple[StandInEntry, ...] = ()


def category_of(merchant: str) -> str:
    """The category within a merchant's number (field 42): acquirer 3, area 4, category 4, serial 4.

    >>> category_of("482290058130001")
    '5813'
    """
    return merchant[7:11]


def load(path: str, world: World) -> SwitchRules:
    """The rules of a file, without a path those of the test world; raises SwitchFileError."""
    try:
        text = (Path(path) if path else FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SwitchFileError(f"LIANJI_SWITCH_RULES: {path} cannot be read ({type(error).__name__})") from None
    return read(text, world)


def read(text: str, world: World) -> SwitchRules:
    """The rules of a text, for the merchants and banks of `world`; raises SwitchFileError."""
    try:
        rules = msgspec.convert(tomllib.loads(text), SwitchRules)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SwitchFileError(f"switch rules: {error}") from None
    _different("floors.merchant", [entry.merchant for entry in rules.floors])
    _different("categories.category", [entry.category for entry in rules.categories])
    _different("cards.institution", [entry.institution for entry in rules.cards])
    for floor in rules.floors:
        if world.merchant(floor.merchant) is None:
            raise SwitchFileError(f"floors.merchant: {floor.merchant!r} is no merchant")
    for cards in rules.cards:
        if world.institution(cards.institution) is None:
            raise SwitchFileError(f"cards.institution: {cards.institution!r} is no bank")
    _different("stand_in.institution", [entry.institution for entry in rules.stand_in])
    for stand_in in rules.stand_in:
        if world.institution(stand_in.institution) is None:
            raise SwitchFileError(f"stand_in.institution: {stand_in.institution!r} is no bank")
    for entry in rules.velocity:
        if not entry.count and not entry.amount_minor:
            raise SwitchFileError(f"velocity.{entry.scope}: give count or amount_minor, or leave it out")
    return rules


def _different(field: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise SwitchFileError(f"{field}: {value!r} stands twice")
