"""What a search looked at, and what it found."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lianji.scan.detector import Detector
from lianji.scan.wanted import Hit

KEPT = 1000
"""Finds that are kept; more are counted."""


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """Card data where none may be. Shows no more of it than a slip may."""

    kind: str
    """pan | track2 | pin-block | pin | cvv"""
    form: str
    """text | bcd | hex | bytes | base64 | escaped"""
    place: str
    """Stream and sequence; database, table, column and key; file and offset."""
    value: str
    """Masked."""


class Report(msgspec.Struct, kw_only=True):
    """The result of a search."""

    found: int = 0
    searched: dict[str, dict[str, int]] = {}
    """Kind of place → what was counted there: streams, messages, tables, rows, files, bytes."""
    finds: list[Find] = []

    def count(self, where: str, **counts: int) -> None:
        row = self.searched.setdefault(where, {})
        for unit, number in counts.items():
            row[unit] = row.get(unit, 0) + number

    @property
    def items(self) -> int:
        """Messages, rows and files that were looked at."""
        return sum(row.get(unit, 0) for row in self.searched.values() for unit in ("messages", "rows", "files"))

    def take(self, other: Report) -> None:
        """What another search looked at and found."""
        for where, counts in other.searched.items():
            self.count(where, **counts)
        self.found += other.found
        self.finds += other.finds[: max(KEPT - len(self.finds), 0)]

    def add(self, detector: Detector, hits: Iterable[Hit], place: str) -> None:
        """Takes the hits in one place."""
        for hit in hits:
            self.found += 1
            if len(self.finds) < KEPT:
                self.finds.append(Find(kind=hit.kind, form=hit.form, place=detector.mask(place), value=hit.masked))
