"""A moment that is moved far more often than it is reached.

A timer of the event loop costs a microsecond to start and to take back, and a message of the path would need five. Here a timer stands
until its time comes, and only then looks whether the moment has been moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Calls `reached` once its moment has come, unless that was moved or taken back. For one event loop."""

    __slots__ = ("_loop", "_reached", "_stands_at", "_timer", "due")

    def __init__(self, loop: asyncio.AbstractEventLoop, reached: Callable[[], None]) -> None:
        self._loop = loop
        self._reached = reached
        self._timer: asyncio.TimerHandle | None = None
        self._stands_at = NEVER
        self.due = NEVER
        """The moment, by the loop's clock."""

    def move(self, due: float) -> None:
        """To another moment, earlier or later."""
        self.due = due
        if due < self._stands_at:
            if self._timer is not None:
                self._timer.cancel()
            self._stands_at = due
            self._timer = self._loop.call_at(due, self._look)

    def move_by(self, seconds: float) -> None:
        """To so many seconds from now."""
        self.move(self._loop.time() + seconds)

    def take_back(self) -> None:
        """There is no moment to wait for now; a timer that stands finds that out."""
        self.due = NEVER

    def end(self) -> None:
        """The same for good: no timer is left behind."""
        self.due = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._stands_at = NEVER

    def _look(self) -> None:
        self._timer = None
        self._stands_at = NEVER
        if self.due == NEVER:
            return
        if self._loop.time() < self.due:
            self.move(self.due)
            return
        self.due = NEVER
        self._reached()
