"""The faults of `lianji fault` (ADR 0020), switched on for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from lianji.faults.clock import Clock
from lianji.faults.fault import Fault as Drill
from reliability.chaos.fault import Arena, Fault, Over, now_s

HOST_ZONE = timezone(timedelta(hours=8))
"""The days of the books are China's."""
DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Drilled(Fault):
    """A drill, on for a while."""

    drill: Callable[[], Drill]

    async def strike(self, arena: Arena) -> Over:
        drill = self.drill()
        try:
            await drill.on(arena.target)
            await asyncio.sleep(self.lasts_s)
        finally:
            await drill.off(arena.target)
        return Over(now_s())


def before_midnight(service: str, by_s: float) -> Clock:
    """A clock that is so long before the books' next midnight, and passes it soon."""
    local = datetime.now(UTC).astimezone(HOST_ZONE)
    since_midnight_s = (local - local.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    return Clock(service=service, by=DAY_S - since_midnight_s - by_s)
