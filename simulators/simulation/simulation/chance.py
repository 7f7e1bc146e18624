"""Time and chance of a run: what code asks the clock and the system's randomness for comes from the loop and the seed.

The functions themselves are replaced, in the modules that everybody asks, for as long as a run lasts; a library that has taken a
function out of its module before gets it there (tracing's clock, and the generator of its ids).
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from runtime import tracing
from simulation.loop import START_NS, Loop
from simulation.processes import PROCESS

EPOCH_NS = 1_790_000_036_000_000_000
"""What the wall clock shows at the beginning: 2026-09-21, 14:13:56 UTC, four seconds before the switch ends its business day (switch.toml)."""


@contextlib.contextmanager
def virtual(loop: Loop, seed: int) -> Iterator[None]:
    """Within the block time is the loop's and chance the seed's, for the whole Python process."""
    source = random.Random(seed)

    def monotonic_ns() -> int:
        return loop.now_ns

    def monotonic() -> float:
        return loop.now_ns / 1e9

    def time_ns() -> int:
        process = PROCESS.get()
        ahead = process.clock_ahead_ns if process is not None else 0
        return EPOCH_NS + loop.now_ns - START_NS + ahead

    def wall() -> float:
        return time_ns() / 1e9

    def urandom(size: int) -> bytes:
        return source.randbytes(size)

    state = random.getstate()
    random.seed(seed)
    with contextlib.ExitStack() as stack:

        def replace(module: Any, **functions: Any) -> None:
            for name, function in functions.items():
                stack.enter_context(mock.patch.object(module, name, function))

        replace(time, time=wall, time_ns=time_ns, monotonic=monotonic, monotonic_ns=monotonic_ns)
        replace(time, perf_counter=monotonic, perf_counter_ns=monotonic_ns)
        replace(os, urandom=urandom)
        replace(random, _urandom=urandom)
        replace(tracing, _now_ns=time_ns, _random=source.getrandbits)
        try:
            yield
        finally:
            random.setstate(state)
