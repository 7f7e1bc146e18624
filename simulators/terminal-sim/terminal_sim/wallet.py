"""The cards with chips of many customers, for terminals that sell side by side: each card is in one reader at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import world
from terminal_sim.cards import Inserted
from terminal_sim.chip import Chip
from terminal_sim.chip_file import ChipBusyError, ChipFile, written

AHEAD = 256
"""A chip that is in use all the time puts its counter on disk so far ahead: a day of sales is then no day of waiting for a disk."""


class Wallet:
    """Open chips, by their cards' names, until `close`."""

    def __init__(self, data_dir: str | Path, cards: Sequence[world.Card]) -> None:
        """Without the cards that are in somebody else's reader now. ChipFileError, OSError; then none is open."""
        self._chips: dict[str, Chip] = {}
        self._files: list[ChipFile] = []
        self._in_readers: set[str] = set()
        try:
            self.cards = tuple(card for card in cards if self._open(data_dir, card))
        except BaseException:
            self.close()
            raise

    def _open(self, data_dir: str | Path, card: world.Card) -> bool:
        try:
            chip, file = ChipFile.insert(data_dir, card.name, written(card), ahead=AHEAD)
        except ChipBusyError:
            return False
        self._files.append(file)
        self._chips[card.name] = chip
        return True

    @contextmanager
    def taken(self, card: world.Card, *, contactless: bool = False) -> Iterator[Inserted | None]:
        """The card in a reader, or before it, for one transaction; None while it is in another one."""
        if card.name in self._in_readers:
            yield None
            return
        self._in_readers.add(card.name)
        try:
            yield Inserted(self._chips[card.name], os.urandom(4), contactless)
        finally:
            self._in_readers.discard(card.name)

    def close(self) -> None:
        """All of them go; what they remember stands on disk."""
        for file in self._files:
            file.close()
        self._files.clear()
