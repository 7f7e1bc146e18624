"""Which fault is next: a shuffled deck, so that every row of the table has its turn before any has it again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from reliability.chaos.fault import Fault
from reliability.chaos.table import FAULTS

LONG_S, LONGEST_S = 10.0, 60.0
LONG_FROM_MIN, LONGEST_FROM_MIN = 3.0, 30.0
"""Faults that last this long take part when the run does."""


def chosen(pattern: str, minutes: float) -> list[Fault]:
    """The faults whose row matches a shell pattern (fnmatch) and that fit the run; ValueError when there are none."""
    longest_s = LONGEST_S if minutes >= LONGEST_FROM_MIN else LONG_S if minutes >= LONG_FROM_MIN else LONG_S / 2
    found = [fault for row, fault in FAULTS.items() if fnmatchcase(row, pattern) and fault.lasts_s <= longest_s]
    if not found:
        raise ValueError(f"only: no fault of a run of {minutes:g} minutes matches {pattern!r}; --list shows all")
    return found


def drawn(faults: Sequence[Fault], seed: int) -> Iterator[Fault]:
    """Without end, each as often as its weight says in every deck; the same order for the same seed.

    >>> kill, pause = FAULTS["kill -9 receipts"], FAULTS["SIGSTOP 1 s receipts"]
    >>> deck = drawn([kill, pause], seed=1); sorted(next(deck).row for _ in range(kill.weight + pause.weight))[-1]
    'kill -9 receipts'
    """
    shuffled = random.Random(seed)
    while True:
        deck = [fault for fault in faults for _ in range(fault.weight)]
        shuffled.shuffle(deck)
        yield from deck
