"""How a card of the world comes into a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import world
from terminal_sim.cards import Card, Inserted
from terminal_sim.chip_file import ChipFile

AnyCard = world.Card | Card
"""A card of the world, which is swiped; or one as it came to the terminal."""


def entered(card: AnyCard) -> Card:
    """A card of the world is swiped; anything else is what it is."""
    return world.track2(card) if isinstance(card, world.Card) else card


@contextmanager
def inserted(data_dir: str | Path, card: world.Card, *, contactless: bool = False) -> Iterator[Inserted]:
    """A card of the world whose chip is in a reader, for one transaction, and out of it afterwards. ChipBusyError, ChipFileError, OSError."""
    chip, file = ChipFile.insert(data_dir, card)
    try:
        yield Inserted(chip, os.urandom(4), contactless)
    finally:
        file.close()
