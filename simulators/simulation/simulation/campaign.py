"""Many days, on all cores: what they came to, told while they are played."""

from __future__ import annotations

import functools
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

from simulation.bugs.bug import SOUND
from simulation.bugs.table import BUGS
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


def all_cores() -> int:
    return len(os.sched_getaffinity(0))


@functools.cache
def ready() -> None:
    """What is paid once, before the processes that play days part: the world's keys, and whatever is imported."""
    first_store()
    gc.collect()
    gc.freeze()


def _play(bug: str, seed: int) -> Result:
    return play(draw(seed), bug=BUGS.get(bug, SOUND))


def days(first: int, count: int, cores: int, bug: str = "") -> Iterator[Result]:
    """The days of the seeds from `first` on, in their order; with a bug of BUGS, by its name."""
    ready()
    if cores == 1:
        yield from map(partial(_play, bug), range(first, first + count))
        return
    with ProcessPoolExecutor(cores, get_context("fork")) as pool:
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
    cores = cores or all_cores()
    campaign, began_s = Campaign(first=first, cores=cores), time.monotonic()
    for result in days(first, count, cores):
        campaign.add(result)
        campaign.seconds = time.monotonic() - began_s
        progress(campaign)
        if len(campaign.failing) >= FAILURES:
            break
    return campaign


class Caught(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bug."""

    bug: str
    what: str
    seeds: int
    """Days played until it was caught, or in all."""
    invariants: tuple[str, ...] = ()
    """Those that were broken; empty: nothing has caught it."""
    evidence: str = ""
    made_good: str = ""


def hunt(name: str, count: int, *, first: int = 1, cores: int = 0) -> Caught:
    """Plays days with a bug switched on until one of them fails that does not fail without."""
    bug, seeds = BUGS[name], 0
    for result in days(first, count, cores or all_cores(), name):
        seeds += 1
        if not result.held and play(result.plan).held:
            broken = tuple(sorted({breach.invariant for breach in result.breaches}))
            evidence = result.breaches[-1].text
            return Caught(bug=name, what=bug.what, seeds=seeds, invariants=broken, evidence=evidence)
    return Caught(bug=name, what=bug.what, seeds=seeds, made_good=bug.made_good)
