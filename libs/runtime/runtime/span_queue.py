"""Ended spans on their way out: bounded, and when room gets short errors and slow ones are kept in preference.

What is kept or dropped is always the whole part of a trace that one piece of work made here (its local root comes last and speaks for it),
so that a drop leaves no orphans in the process. Between processes the same holds nearly: a caller whose callee failed or was slow has
failed or was slow itself, so who is preferred has a parent that is preferred; and ordinary traces are thinned out by their trace id, so
that processes under the same pressure thin out the same ones.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Generic, Protocol, TypeVar


class Ended(Protocol):
    """runtime.tracing.Span, as far as it is used here."""

    start_ns: int
    end_ns: int
    error_text: str

    @property
    def trace_id(self) -> str: ...


S = TypeVar("S", bound=Ended)


REASONS = ("pressure", "displaced", "full", "local")
"""Why spans are dropped (SpanQueue.dropped)."""


class SpanQueue(Generic[S]):
    """First in, first out, the preferred before the ordinary. Spans also end in worker threads: each call holds a lock."""

    def __init__(self, capacity: int, slow_ns: int) -> None:
        self.capacity = capacity
        """Spans, of all traces together."""
        self._slow_ns = slow_ns
        self._preferred: deque[list[S]] = deque()
        self._ordinary: deque[list[S]] = deque()
        self._lock = threading.Lock()
        self._open = True
        self.held = 0
        self.ended = 0
        """Spans that came, whatever became of them."""
        self.dropped: Counter[str] = Counter()
        """Spans by reason: `pressure` (an ordinary trace, thinned out), `displaced` (it gave way to an error or a slow one), `full` (no
        room even for those), `local` (too many in one piece of work)."""

    def close(self) -> None:
        """Nobody is going to take any: what comes is let go."""
        self._open = False

    def put(self, spans: list[S]) -> None:
        """The spans of one piece of work, its local root last."""
        count, root = len(spans), spans[-1]
        preferred = bool(root.error_text) or root.end_ns - root.start_ns >= self._slow_ns
        with self._lock:
            self.ended += count
            if not self._open:
                return
            if self.held + count > self.capacity // 2 and not self._has_room(root.trace_id, count, preferred):
                return
            (self._preferred if preferred else self._ordinary).append(spans)
            self.held += count

    def _has_room(self, trace_id: str, count: int, preferred: bool) -> bool:
        """Under pressure: above half full. The share of ordinary traces that are kept falls from all to none as the rest fills."""
        if not preferred:
            left = self.capacity - self.held - count
            if int(trace_id[-4:], 16) * (self.capacity // 2) >= left * 0x10000:
                self.dropped["pressure"] += count
                return False
            return True
        while self._ordinary and self.held + count > self.capacity:
            gone = len(self._ordinary.popleft())
            self.held -= gone
            self.dropped["displaced"] += gone
        if self.held + count > self.capacity:
            self.dropped["full"] += count
            return False
        return True

    def drop(self, reason: str) -> None:
        """A span that never came."""
        with self._lock:
            self.ended += 1
            self.dropped[reason] += 1

    def take(self, most: int) -> list[S]:
        """About `most` spans or fewer, whole pieces of work; one piece at least, when there is one."""
        taken: list[S] = []
        with self._lock:
            for waiting in (self._preferred, self._ordinary):
                while waiting and (not taken or len(taken) + len(waiting[0]) <= most):
                    taken += waiting.popleft()
            self.held -= len(taken)
        return taken
