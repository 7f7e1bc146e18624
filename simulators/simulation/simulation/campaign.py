"""Many days, on all cores: what they came to, told while they are played."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context

import msgspec

from simulation.bugs.bug import SOUND, Bug
from simulation.day import Result, play
from simulation.genesis import first_store
from simulation.plan import draw

AHEAD = 4
"""Seeds handed to a core before the first of them has come back."""
FAILURES = 5
"""Failing seeds after which it is enough."""


class Campaign(msgspec.Struct, kw_only=True):
    """What many days came to."""

    first: int
    seeds: int = 0
    seconds: float = 0.0
    cores: int = 1
    transactions: int = 0
    callbacks: int = 0
    virtual_s: float = 0.0
    faults: dict[str, int] = {}
    """Fault → times."""
    failing: list[Result] = []

    @property
    def seeds_per_s(self) -> float:
        return self.seeds / self.seconds if self.seconds else 0.0

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.transactions += result.transactions
        self.callbacks += result.steps
        self.virtual_s += result.virtual_s
        self.faults = dict(Counter(self.faults) + Counter(result.faults))
        if not result.held:
            self.failing.append(result)


def ready() -> None:
    """What every process that plays days pays once: the world's keys, and whatever is imported."""
    first_store()
    gc.collect()
    gc.freeze()


def _play(bug: Bug, seed: int) -> Result:
    with bug.switched_on():
        return play(draw(seed))


def days(first: int, count: int, cores: int, bug: Bug = SOUND) -> Iterator[Result]:
    """The days of the seeds from `first` on, in their order."""
    if cores == 1:
        ready()
        yield from map(partial(_play, bug), range(first, first + count))
        return
    with ProcessPoolExecutor(cores, get_context("fork"), ready) as pool:
        seeds = iter(range(first, first + count))
        waiting = [pool.submit(_play, bug, seed) for seed in islice(seeds, cores * AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(_play, bug, seed) for seed in islice(seeds, 1)]
        finally:
            for future in waiting:
                future.cancel()


def run(first: int, count: int, progress: Callable[[Campaign], None], *, cores: int = 0) -> Campaign:
    """Plays the days and tells the progress after each; ends early after FAILURES failing ones."""
    cores = cores or len(os.sched_getaffinity(0))
    campaign, began_s = Campaign(first=first, cores=cores), time.monotonic()
    for result in days(first, count, cores):
        campaign.add(result)
        campaign.seconds = time.monotonic() - began_s
        progress(campaign)
        if len(campaign.failing) >= FAILURES:
            break
    return campaign
