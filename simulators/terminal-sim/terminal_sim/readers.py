"""How a card of the world comes into a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import world
from terminal_sim.cards import Card, Inserted
from terminal_sim.chip import Written
from terminal_sim.chip_file import ChipFile, written

AnyCard = world.Card | Card
"""A card of the world, which is swiped; or one as it came to the terminal."""


def entered(card: AnyCard) -> Card:
    """A card of the world is swiped; anything else is what it is."""
    return world.track2(card) if isinstance(card, world.Card) else card


@contextmanager
def inserted(data_dir: str | Path, card: world.Card, *, contactless: bool = False) -> Iterator[Inserted]:
    """A card of the world whose chip is in a reader, for one transaction, and out of it afterwards. ChipBusyError, ChipFileError, OSError."""
    with put_in(data_dir, card.name, written(card), contactless=contactless) as read:
        yield read


@contextmanager
def put_in(data_dir: str | Path, name: str, written: Written, *, contactless: bool = False) -> Iterator[Inserted]:
    """The same of any card, by the name of its file in the data directory."""
    chip, file = ChipFile.insert(data_dir, name, written)
    try:
        yield Inserted(chip, os.urandom(4), contactless)
    finally:
        file.close()
