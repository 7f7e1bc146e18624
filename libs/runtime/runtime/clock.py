"""The one clock of the services. Domain code never calls it: `at_ms` is passed in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def now_ms() -> int:
    """Unix time in milliseconds, UTC."""
    return time.time_ns() // 1_000_000


def go_wrong(by_s: float, module: Any = time) -> None:
    """Sets the wall clock of this whole process wrong by so many seconds, for a drill; what counts from any moment on is right as before.

    A host whose clock is wrong is so for every line of code that asks it. So `time.time` and `time.time_ns` themselves are replaced,
    and not asked through a function of ours: that would miss whoever does not use it, and would cost each swipe something.
    """

    def wrong(right: Callable[[], Any], ahead: float) -> Callable[[], Any]:
        return lambda: right() + ahead

    module.time, module.time_ns = wrong(module.time, by_s), wrong(module.time_ns, int(by_s * 1e9))


def monotonic_s() -> float:
    """Seconds, for spans of time. A default argument is bound when its module is read: this one still asks the clock of the day."""
    return time.monotonic()
