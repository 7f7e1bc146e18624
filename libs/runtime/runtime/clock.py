"""The one clock of the services. Domain code never calls it: `at_ms` is passed in."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Unix time in milliseconds, UTC."""
    return time.time_ns() // 1_000_000
