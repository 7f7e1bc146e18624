"""What an append can come to, beside being acknowledged. Each of them has been seen on the real broker (reliability rules, 3)."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum


class Trap(Enum):
    """What happens to one append."""

    LOST_ACK = "it lands, the acknowledgement does not come"
    LOST = "it does not land, and nobody says so"
    LATE = "no acknowledgement; it lands some time later, if its sequence is still free"
    IN_FLIGHT = "refused as in flight (10158): unknown"
    IN_FLIGHT_LANDS = "refused as in flight (10164), and it lands"
    UNAVAILABLE = "refused for want of resources (10201): unknown"
    DIES_BEHIND = "it lands, and its owner is killed before it hears so"
    DIES_BEFORE = "its owner is killed, and it does not land"
    DIES_LATE = "its owner is killed, and it lands some time later, if its sequence is still free"
    STALE_REFUSAL = "it lands, and the answer is a wrong last sequence (10071), as to a repetition"


ERRORS = {
    Trap.IN_FLIGHT: (10158, "expected last sequence is being processed"),
    Trap.IN_FLIGHT_LANDS: (10164, "message is being processed"),
    Trap.UNAVAILABLE: (10201, "resource is not available"),
}
KILLS = frozenset({Trap.DIES_BEHIND, Trap.DIES_BEFORE, Trap.DIES_LATE})
UNHEARD = frozenset({Trap.LOST_ACK, Trap.LOST, Trap.LATE, *KILLS})
"""No answer comes."""
LANDS = frozenset({Trap.LOST_ACK, Trap.DIES_BEHIND, Trap.IN_FLIGHT_LANDS, Trap.STALE_REFUSAL})


class Traps:
    """Which appends are trapped, and how slow the disk is. `chance` is the run's."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.waiting: dict[str, list[Trap | None]] = {}
        """Stream → traps for its next appends, None for those that nothing happens to."""
        self.kill_owner: Callable[[str], None] = lambda _: None
        """Kills who owns the log of a stream."""
        self.disk_slow_s = 0.0
        """What every sync takes beside the usual."""

    def take(self, stream: str) -> Trap | None:
        """The trap for the next append on `stream`."""
        waiting = self.waiting.get(stream)
        return waiting.pop(0) if waiting else None

    def sync_s(self) -> float:
        """What one synced write takes."""
        return 0.0002 + self.chance.random() * 0.002 + self.disk_slow_s

    def late_s(self) -> float:
        """When a late append lands: before its publisher gives up, or after."""
        return 0.05 + self.chance.random() * 4.0

    def clear(self) -> None:
        self.waiting.clear()
        self.disk_slow_s = 0.0
