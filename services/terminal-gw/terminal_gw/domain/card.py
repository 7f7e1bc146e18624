"""What a swipe, a chip or a keyed number says about a card."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from contracts.pan import Pan, Track2

_TRACK2 = re.compile(r"\d{12,19}D\d{7}\d*", re.ASCII)
"""PAN, separator, expiry 4, service code 3, discretionary data (ISO/IEC 7813)."""
MANUAL, SWIPE, CHIP, CONTACTLESS = "01", "02", "05", "07"
ENTRY_MODES = frozenset({MANUAL, SWIPE, CHIP, CONTACTLESS})
"""First two digits of field 22: those that are served."""


class Card(NamedTuple):
    """A card as read."""

    pan: Pan
    expiry: str
    """YYMM, or empty where nobody said it."""
    track2: Track2 | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why it could not be read: the field's number and the rule it breaks, never what it holds."""

    field: str
    reason: str


CardReader: TypeAlias = Callable[[str, str, str, str], Card | Fault]
"""From fields 22, 2, 14 and 35 (empty when absent). What is said twice must be said alike."""


def read_card(entry_mode: str, pan: str, expiry: str, track2: str) -> Card | Fault:
    """Of a card that is there: keyed, swiped, or its chip read."""
    how = entry_mode[:2]
    if how == MANUAL:
        return _keyed(pan, expiry)
    return (
        told_card(entry_mode, pan, expiry, track2)
        if how in (CHIP, CONTACTLESS) and not track2
        else _swiped(pan, expiry, track2)
    )


def noticed_card(entry_mode: str, pan: str, expiry: str, track2: str) -> Card | Fault:
    """Of a card of which a terminal may have kept no more than number and expiry, however it was read."""
    return read_card(entry_mode, pan, expiry, track2) if track2 else told_card(entry_mode, pan, expiry, track2)


def told_card(entry_mode: str, pan: str, expiry: str, track2: str) -> Card | Fault:
    """Of a card that has been read and is gone again: its number is enough."""
    if not pan:
        return Fault("2", "is missing")
    return _swiped(pan, expiry, track2) if track2 else Card(Pan(pan), expiry, None)


def _keyed(pan: str, expiry: str) -> Card | Fault:
    if not pan:
        return Fault("2", "is missing for a keyed card")
    if not expiry:
        return Fault("14", "is missing for a keyed card")
    return Card(Pan(pan), expiry, None)


def _swiped(pan: str, expiry: str, track2: str) -> Card | Fault:
    if not track2:
        return Fault("35", "is missing for a swiped card")
    if not _TRACK2.fullmatch(track2):
        return Fault("35", "is not card number, D, expiry, service code and the rest")
    track = Track2(track2)
    if pan and Pan(pan) != track.pan:
        return Fault("2", "is not the card number of the track")
    if expiry and expiry != track.expiry:
        return Fault("14", "is not the expiry date of the track")
    return Card(track.pan, track.expiry, track)
