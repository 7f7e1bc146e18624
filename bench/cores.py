"""Which processor cores a process, and what it starts, may run on: load that shares its cores with what it loads slows both, and says of neither what it can do."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager


def halves(cores: Collection[int]) -> tuple[frozenset[int], frozenset[int]]:
    """The cores for what is measured, and those for its load; of a single one both have it.

    >>> [sorted(half) for half in halves({0, 1, 2, 4})], [sorted(half) for half in halves({3})]
    ([[0, 1], [2, 4]], [[3], [3]])
    """
    ordered = sorted(cores)
    middle = (len(ordered) + 1) // 2
    return frozenset(ordered[:middle]), frozenset(ordered[middle:] or ordered)


def mine() -> frozenset[int]:
    """The cores that this process may run on."""
    return frozenset(os.sched_getaffinity(0))


@contextmanager
def only_on(cores: Collection[int]) -> Iterator[None]:
    """What this thread starts meanwhile stays on these cores for good; any core that this process has where none is named."""
    before = os.sched_getaffinity(0)
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
