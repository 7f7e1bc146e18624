"""A card as it comes to a terminal: swiped, its number keyed by hand, or its chip read."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from contracts.pan import Pan, Track2
from terminal_sim.chip import Chip


class Keyed(msgspec.Struct, frozen=True, kw_only=True):
    """A card whose number was keyed: there is neither track nor CVV."""

    pan: Pan
    expiry: str
    """YYMM."""

    def __repr__(self) -> str:  # the default would print the expiry
        return f"Keyed({self.pan})"


class Inserted(NamedTuple):
    """A card whose chip is in the reader, or before it."""

    chip: Chip
    unpredictable: bytes
    """4 bytes that nobody could know before (tag 9F37)."""
    contactless: bool = False

    @property
    def track(self) -> Track2:
        return self.chip.written.track

    @property
    def pan(self) -> Pan:
        return self.track.pan

    @property
    def expiry(self) -> str:
        return self.track.expiry

    @property
    def entry(self) -> str:
        """Field 22, the first two digits."""
        return CONTACTLESS if self.contactless else INSERTED

    def __repr__(self) -> str:
        return f"Inserted({self.pan})"


Card = Track2 | Keyed | Inserted
SWIPED, KEYED, INSERTED, CONTACTLESS = "02", "01", "05", "07"
"""Field 22, the first two digits."""


def entry_of(card: Card) -> str:
    """Field 22, the first two digits, of a card that is there."""
    if isinstance(card, Inserted):
        return card.entry
    return SWIPED if isinstance(card, Track2) else KEYED
