"""What a bank is told of a card, or of all cards of a prefix."""

from __future__ import annotations

from enum import StrEnum


class Report(StrEnum):
    """Whoever reports it says one of these."""

    LOST = "lost"
    STOLEN = "stolen"
    CAPTURE = "capture"
    """To be kept by whoever gets hold of it."""
    FOUND = "found"
    """It may be used again."""
