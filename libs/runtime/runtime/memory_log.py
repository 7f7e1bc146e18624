"""A log in memory with the traps of the real one: lost acknowledgement, late landing, stale refusal, refused in flight."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from enum import Enum

from runtime.log import AppendUnknown, LogDamaged, WrongSequence, unheard


class Trap(Enum):
    """What happens to one append."""

    LOST_ACK = "it lands, the acknowledgement does not come"
    LOST = "it does not land, and nobody says so"
    LATE = "no acknowledgement; it lands before the next append is looked at"
    REFUSED_IN_FLIGHT = "refused for a group that is in flight (10158, 10164): unknown"


class MemoryLog:
    """LogStore in memory. `traps` are used up one per append; `delay_s` is how long an append takes."""

    def __init__(self, name: str = "memory.log", *, delay_s: float = 0.0) -> None:
        self._name = name
        self.groups: list[bytes] = []
        self.traps: deque[Trap | None] = deque()
        self.delay_s = delay_s
        self.reads = 0
        self._late: list[tuple[bytes, int]] = []

    @property
    def name(self) -> str:
        return self._name

    async def last_sequence(self) -> int:
        return len(self.groups)

    def found_whole(self, broker: str) -> None:
        return  # memory is not damaged

    def read_beside(self, after: int, last: int, broker: str) -> None:
        return

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        sent()
        await asyncio.sleep(self.delay_s)
        self._land_late()
        trap = self.traps.popleft() if self.traps else None
        if trap is Trap.LOST:
            raise AppendUnknown("timed out")
        if trap is Trap.REFUSED_IN_FLIGHT:
            raise AppendUnknown("10164")
        if trap is Trap.LATE:
            self._late.append((payload, expected))
            raise AppendUnknown("timed out")
        if expected != len(self.groups):
            raise WrongSequence(f"last is {len(self.groups)}")
        self.groups.append(payload)
        if trap is Trap.LOST_ACK:
            raise AppendUnknown("timed out")
        return len(self.groups)

    def _land_late(self) -> None:
        for payload, expected in self._late:
            if expected == len(self.groups):
                self.groups.append(payload)
        self._late.clear()

    async def read(self, sequence: int) -> bytes | None:
        self.reads += 1
        return self.groups[sequence - 1] if 1 <= sequence <= len(self.groups) else None

    async def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        if sequence < 1:
            raise LogDamaged(f"{self.name}: no sequence {sequence}")
        for number in range(sequence, min(last, len(self.groups)) + 1):
            yield number, self.groups[number - 1]
