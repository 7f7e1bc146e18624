"""Bad weather on a line, and lines that are parted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from reliability.chaos.fault import Arena, Fault, Over, now_s
from reliability.chaos.proxy import FAIR, Proxy, Weather

TERMINALS = "terminals"

BOTH_WAYS, DEAF, MUTE = "both ways", "towards it", "from it"
"""Which way nothing passes between a service and the broker."""


def _line(arena: Arena, name: str) -> Proxy:
    return arena.terminals if name == TERMINALS else arena.lines[name]


@dataclass(frozen=True, kw_only=True)
class BadLine(Fault):
    """Bad weather on the line of the terminals, or of a service to the broker."""

    line: str
    weather: Weather

    async def strike(self, arena: Arena) -> Over:
        line = _line(arena, self.line)
        line.weather = self.weather
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            line.weather = FAIR
        return Over(now_s())


@dataclass(frozen=True, kw_only=True)
class Parted(Fault):
    """Nothing passes between a service and the broker, in both directions or in one. Connections stay, as with a cable that is out."""

    service: str

    async def strike(self, arena: Arena) -> Over:
        line, way = arena.lines[self.service], arena.random.choice(tuple(_PARTED))
        _PARTED[way](line)
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            line.join()
        return Over(now_s(), way)


_PARTED: dict[str, Callable[[Proxy], None]] = {
    # The proxy's host is the broker: what goes there comes from the service.
    BOTH_WAYS: lambda line: line.part(),
    DEAF: lambda line: line.part(inward=False),
    MUTE: lambda line: line.part(outward=False),
}
