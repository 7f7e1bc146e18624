"""A card as it comes to a terminal: swiped, or its number keyed by hand."""

from __future__ import annotations

import msgspec

from contracts.pan import Pan, Track2


class Keyed(msgspec.Struct, frozen=True, kw_only=True):
    """A card whose number was keyed: there is neither track nor CVV."""

    pan: Pan
    expiry: str
    """YYMM."""

    def __repr__(self) -> str:  # the default would print the expiry
        return f"Keyed({self.pan})"


Card = Track2 | Keyed
SWIPED, KEYED = "02", "01"
"""Field 22, the first two digits."""
