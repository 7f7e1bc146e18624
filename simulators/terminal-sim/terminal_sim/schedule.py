"""When sales are due in an open loop, and how many of them wait because no terminal was free."""

from __future__ import annotations

import math


class Schedule:
    """Sales at a fixed rate, the first at once. Each is taken once, in order, and later begun; moments are seconds since the load began."""

    def __init__(self, rate: float, duration_s: float) -> None:
        self.rate = rate
        self.scheduled = max(1, math.ceil(rate * duration_s - 1e-9))
        """All that are due before the duration is over."""
        self.begun = 0
        self.backlog = 0
        """The most that were due at one moment and had not begun."""
        self._taken = 0

    @property
    def unsent(self) -> int:
        """Those that have not begun."""
        return self.scheduled - self.begun

    def take(self) -> float | None:
        """The moment of the next sale; None when there is none left.

        >>> schedule = Schedule(2.0, 1.0)
        >>> schedule.take(), schedule.take(), schedule.take()
        (0.0, 0.5, None)
        """
        if self._taken == self.scheduled:
            return None
        self._taken += 1
        return (self._taken - 1) / self.rate

    def cut(self) -> None:
        """Nothing more is due; what has been taken still is.

        >>> schedule = Schedule(2.0, 1.0)
        >>> schedule.take(), schedule.cut(), schedule.take(), schedule.scheduled
        (0.0, None, None, 1)
        """
        self.scheduled = self._taken

    def begin(self, now_s: float) -> None:
        """A sale begins now. What is due besides, and has not begun, is the backlog."""
        due = min(self.scheduled, math.floor(now_s * self.rate + 1e-9) + 1)
        self.begun += 1
        self.backlog = max(self.backlog, due - self.begun)
