"""How many sales may be in hand at once, so that those that are let in are answered in time.

A queue that grows helps nobody: each in it waits longer, until all are answered too late. So a sale for which there is no room is refused
before anything has been done for it, and the terminal is told so (96). Only sales are refused. What repairs or ends something, reversals and
batch closes above all, is always let in: there is one request in flight for each connection, and connections are bounded.

How many there is room for is measured. A sale's wait is what passed from its frame's coming to its answer, less what its bank took, which
the switch says: a slow bank is no queue of ours. While those of an interval waited no longer than the target on average, or nothing was left
in hand once, no queue stands, and the limit grows back to the most. When they waited longer in two intervals on end, it was no burst that
passes: more is in hand than is done in that time. The limit falls to what is (Little's law: what is in hand is what is done in a second,
times how long it takes).

The average, and not the quickest as in CoDel (RFC 8289, 3): sales pass through processes that take turns on few cores, each doing all that
has come for it, and of such a batch there is always one that waited little.
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
        self._interval = _Interval()
        self._waited_long = False
        """In the interval before this one."""

    def refuse(self) -> str:
        """Why a sale may not come in now, in words; empty when it may. Each one that may not is counted."""
        if self.in_hand < self.limit:
            return ""
        self._shed[IN_FLIGHT if self.limit == self._most else WAIT].add()
        return f"{self.in_hand} sales are in hand, and there is room for {self.limit}"

    def refused_by_the_switch(self) -> None:
        self._shed[SWITCH].add()

    def enter(self, came_s: float) -> Place:
        """A context: from here to its end one more sale is in hand. It has waited since `came_s`, on this one's clock."""
        return Place(self, came_s)

    def begin(self) -> None:
        self.in_hand += 1

    def end(self, came_s: float, bank_s: float) -> None:
        now_s = self._clock()
        self.in_hand -= 1
        interval = self._interval
        if not interval.answered:
            interval.began_s = now_s
        interval.answered += 1
        interval.waited_s += now_s - came_s - bank_s
        interval.at_banks_s += bank_s
        interval.emptied |= not self.in_hand
        if now_s >= interval.began_s + INTERVAL_S:
            self._set_limit(interval, now_s)
            self._interval = _Interval()

    def _set_limit(self, interval: _Interval, now_s: float) -> None:
        long = interval.waited_s > TARGET_S * interval.answered and not interval.emptied
        if not long:
            self.limit = min(self._most, self.limit + self.limit // GROWTH + 1)
        elif self._waited_long:
            done_s = interval.answered / (now_s - interval.began_s)
            in_time = int(done_s * (TARGET_S + interval.at_banks_s / interval.answered))
            self.limit = min(self.limit, max(in_time, min(FEWEST, self._most)))
        self._waited_long = long


class _Interval:
    """What ended in it. It begins with the first that does."""

    __slots__ = ("answered", "at_banks_s", "began_s", "emptied", "waited_s")

    def __init__(self) -> None:
        self.began_s = 0.0
        self.answered = 0
        self.waited_s = 0.0
        self.at_banks_s = 0.0
        self.emptied = False
        """Whether nothing was left in hand once."""


class Place:
    """One sale in hand."""

    __slots__ = ("_admission", "_came_s", "bank_s")

    def __init__(self, admission: Admission, came_s: float) -> None:
        self._admission = admission
        self._came_s = came_s
        self.bank_s = 0.0
        """What its bank took of the time."""

    def __enter__(self) -> Place:
        self._admission.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._admission.end(self._came_s, self.bank_s)
