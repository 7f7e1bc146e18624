"""What a load is made of: a TOML file of shares of kinds, amounts, cards and terminals.

MixError    the file cannot be read, or says what cannot be; the text names file and field
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.kinds import Kind
from contracts.money import MAX_AMOUNT_MINOR

Share = Annotated[float, Meta(ge=0)]
"""A weight beside others."""
Part = Annotated[float, Meta(ge=0, le=1)]
"""Of all."""
Minor = Annotated[int, Meta(gt=0, le=MAX_AMOUNT_MINOR)]
BUILT_IN = "day"
_AT_TRANSFER_TERMINALS = frozenset({Kind.TRANSFER, Kind.CARD_CHECK})


class MixError(Exception):
    """The mix cannot be played; one line."""


class Amounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Amounts between two, each as likely as the other."""

    share: Share
    from_minor: Minor
    to_minor: Minor


class Cards(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    debit: Share = 1.0
    credit: Share = 1.0
    keyed: Part = 0.0
    """Their number is keyed by hand."""
    chip: Part = 0.0
    """Their chip is put in, where a terminal reads chips and it is no customer who comes back."""
    contactless: Part = 0.0
    """Their chip is held before the reader, for sales; for anything else it is put in."""
    wrong_pin: Part = 0.0
    """Of those whose holder keys a PIN."""

    @property
    def chips(self) -> float:
        """How many of them are read by their chips."""
        return self.chip + self.contactless


class Shop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What some of the terminals do."""

    name: str
    terminals: Share
    kinds: dict[Kind, Share]
    amounts: Annotated[list[Amounts], Meta(min_length=1)]

    @property
    def transfers(self) -> bool:
        """It is done at transfer terminals."""
        return any(kind in _AT_TRANSFER_TERMINALS for kind in self.kinds)


class Mix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: int = 1
    """The same seed draws the same transactions; when they are sent is the host's doing."""
    cards: Cards = Cards()
    shops: Annotated[list[Shop], Meta(min_length=1)]

    @property
    def transfers(self) -> float:
        """The share of transfer terminals among all."""
        return sum(s.terminals for s in self.shops if s.transfers) / sum(s.terminals for s in self.shops)


def read_mix(name: str | Path) -> Mix:
    """A file, or the one that comes with the terminals by its name, `day`; MixError."""
    path = Path(__file__).parent / "mixes" / f"{name}.toml" if str(name) == BUILT_IN else Path(name)
    try:
        mix = msgspec.toml.decode(path.read_bytes(), type=Mix)
    except OSError as error:
        raise MixError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a ValidationError is one, and names the field
        raise MixError(f"{path}: {error}") from None
    if why := _impossible(mix):
        raise MixError(f"{path}: {why}")
    return mix


def _impossible(mix: Mix) -> str:
    """What the shares and amounts make impossible, by field; empty when nothing."""
    if mix.cards.debit + mix.cards.credit == 0:
        return "cards: neither debit nor credit has a share"
    if mix.cards.keyed + mix.cards.chips > 1:
        return "cards: keyed, chip and contactless are more than all together"
    if not any(shop.terminals for shop in mix.shops):
        return "shops: none has a share of the terminals"
    return next(filter(None, map(_impossible_at, mix.shops)), "")


def _impossible_at(shop: Shop) -> str:
    if not any(shop.kinds.values()):
        return f"shops.kinds: {shop.name!r} does nothing"
    if not any(band.share for band in shop.amounts):
        return f"shops.amounts: {shop.name!r} has no amounts"
    if shop.transfers and any(kind not in {*_AT_TRANSFER_TERMINALS, Kind.BALANCE} for kind in shop.kinds):
        return f"shops.kinds: {shop.name!r} makes transfers, and a transfer terminal does nothing else but card checks and balances"
    if any(band.from_minor > band.to_minor for band in shop.amounts):
        return f"shops.amounts: {shop.name!r} has an amount whose from_minor is more than its to_minor"
    return ""
