"""All sides measured in turns, so that a machine that drifts meets them alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bench.figures import Figures
from bench.load import Load

Runs = dict[Load, dict[str, list[Figures]]]
"""Load → side → one run a round."""


class Side(Protocol):
    """Something that stands and can be loaded."""

    def measure(self, load: Load) -> Figures: ...


def in_turns(
    sides: Mapping[str, Side],
    loads: Sequence[Load],
    *,
    rounds: int,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Runs:
    """Every side under every load, `rounds` times. Which side goes first changes from round to round; `tell` gets a line after each load."""
    runs: Runs = {load: defaultdict(list) for load in loads}
    began_s, done = clock(), 0
    for number in range(rounds):
        order = list(sides)[:: 1 if number % 2 == 0 else -1]
        for load in loads:
            for name in order:
                runs[load][name].append(sides[name].measure(load))
            done += 1
            left_s = (clock() - began_s) / done * (rounds * len(loads) - done)
            figures = ", ".join(_words(name, load, runs[load][name][-1]) for name in sides)
            tell(f"round {number + 1} of {rounds}, {load}: {figures}; {left_s / 60:.1f} min to go")
    return runs


def _words(name: str, load: Load, figures: Figures) -> str:
    if load.concurrency > 1:
        return f"{name} {figures.tx_s:,.0f} tx/s"
    return f"{name} {figures.p50_us:,.0f} µs"
