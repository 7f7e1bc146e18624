"""The fuzzer for where atheris is not: mutations by the grammar, and inputs that reach new lines are kept to go on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random

from fuzz.finds import Find, Finds
from fuzz.lines import Lines
from fuzz.mutate import mutate
from fuzz.targets import Target

_TRACED = 8
"""One input in this many is run under the line tracer, which makes it some ten times slower."""


def run(
    target: Target,
    seeds: Sequence[bytes],
    *,
    inputs: int,
    seconds: float,
    seed: int,
    finds: Finds,
    lines: Lines,
    tell: Callable[[int, Find | None], None],
) -> int:
    """Up to so many inputs, for up to so many seconds; how many it were. `tell` hears of every find and of the count now and then."""
    random, pool = Random(f"{seed} {target.name}"), list(seeds)
    end = time.monotonic() + seconds
    for count in range(1, inputs + 1):
        data = pool[count - 1] if count <= len(seeds) else mutate(random, random.choice(pool), pool)
        if count <= len(seeds) or count % _TRACED == 0:
            found = _traced(target, data, finds, lines, pool)
        else:
            found = finds.attempt(target, data)
        if found is not None or count % 512 == 0 or count == inputs:
            tell(count, found)
            if time.monotonic() > end:
                return count
    return inputs


def _traced(target: Target, data: bytes, finds: Finds, lines: Lines, pool: list[bytes]) -> Find | None:
    outcome: list[Find | None] = []
    if lines.run(lambda: outcome.append(finds.attempt(target, data))):
        pool.append(data)
    return outcome[0]
