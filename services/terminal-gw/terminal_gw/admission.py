"""How many sales may be in hand at once, so that those that are let in are answered in time.

A queue that grows helps nobody: each in it waits longer, until all are answered too late. So a sale for which there is no room is refused
before anything has been done for it, and the terminal is told so (96). Only sales are refused. What repairs or ends something, reversals and
batch closes above all, is always let in: there is one request in flight for each connection, and connections are bounded.

How many there is room for is measured (CoDel's rule, RFC 8289, 3: a queue is bad when even the quickest had to wait). A sale's wait is what it
took, less what its bank took, which the switch says: a slow bank is no queue of ours. While the quickest of an interval waited no longer than
the target, nothing stands in a queue, and the limit grows back to the most. When even the quickest waited longer, more is in hand than is
done in that time, and the limit falls in proportion (Little's law: the wait is what is in hand, divided by what is done in a second).
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from runtime import catalogue
from runtime.clock import monotonic_s
from runtime.metrics import Metrics

TARGET_S = 0.25
"""Of waiting in the gateway, the switch and on the way between; a healthy stack takes milliseconds."""
INTERVAL_S = 0.5
FEWEST = 64
"""Never fewer than these: with so few in hand it is no queue that makes them wait."""
MOST = 4096
GROWTH = 8
"""An eighth more after each good interval."""
IN_FLIGHT, WAIT, SWITCH = "in_flight", "wait", "switch"
"""Why a sale was refused: as many as may ever be are in hand; fewer are, and they wait too long; the switch has no room."""


class Admission:
    """Of one gateway."""

    def __init__(
        self, metrics: Metrics | None = None, *, most: int = MOST, clock: Callable[[], float] = monotonic_s
    ) -> None:
        """`clock` gives seconds."""
        shed = (metrics or Metrics()).counter(catalogue.SHED)
        self._shed = {reason: shed.of(reason) for reason in (IN_FLIGHT, WAIT, SWITCH)}
        self._most = most
        self._clock = clock
        self.limit = most
        self.in_hand = 0
        self._busiest = 0
        """The most that were in hand at once in this interval."""
        self._quickest_s = float("inf")
        self._ends_s = clock() + INTERVAL_S

    def refuse(self) -> str:
        """Why a sale may not come in now, in words; empty when it may. Each one that may not is counted."""
        if self.in_hand < self.limit:
            return ""
        self._shed[IN_FLIGHT if self.limit == self._most else WAIT].add()
        return f"{self.in_hand} sales are in hand, and there is room for {self.limit}"

    def refused_by_the_switch(self) -> None:
        self._shed[SWITCH].add()

    def enter(self) -> Place:
        """A context: from here to its end one more sale is in hand."""
        return Place(self)

    def begin(self) -> float:
        self.in_hand += 1
        self._busiest = max(self._busiest, self.in_hand)
        return self._clock()

    def end(self, begun_s: float, bank_s: float) -> None:
        now_s = self._clock()
        self.in_hand -= 1
        self._quickest_s = min(self._quickest_s, now_s - begun_s - bank_s)
        if now_s >= self._ends_s:
            self._set_limit()
            self._busiest, self._quickest_s, self._ends_s = self.in_hand, float("inf"), now_s + INTERVAL_S

    def _set_limit(self) -> None:
        if self._quickest_s <= TARGET_S:
            self.limit = min(self._most, self.limit + self.limit // GROWTH + 1)
        else:
            fewest = min(FEWEST, self._most)
            self.limit = min(self.limit, max(fewest, int(self._busiest * TARGET_S / self._quickest_s)))


class Place:
    """One sale in hand."""

    __slots__ = ("_admission", "_begun_s", "bank_s")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._begun_s = 0.0
        self.bank_s = 0.0
        """What its bank took of the time."""

    def __enter__(self) -> Place:
        self._begun_s = self._admission.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._admission.end(self._begun_s, self.bank_s)
