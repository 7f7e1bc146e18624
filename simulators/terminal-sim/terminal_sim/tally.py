"""What a load run counts, and how it is summed up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import msgspec

from contracts.response_codes import APPROVALS
from terminal_sim.results import SwipeResult
from terminal_sim.schedule import Schedule

SLOW_US = 1_000_000


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A running load, once a second."""

    elapsed_s: float
    tx: int
    approved: int
    declined: int
    unknown: int
    reversed: int
    tx_s: float
    """In the last interval, as are the two below."""
    p50_us: int
    p99_us: int


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """A finished load. Latencies are of answered transactions, from the scheduled moment when there was a schedule."""

    terminals: int
    duration_s: float
    tx: int
    """Answered: approved and declined."""
    approved: int
    declined: dict[str, int]
    """By response code."""
    unknown: int
    """Sent and not answered in a way that could be trusted."""
    reversed: int
    """Reversals that went through."""
    pending: int
    """Reversals that did not, in spite of all patience."""
    refused: int
    """Swipes that the terminal did not send: no line, no sign-on."""
    batches_closed: int
    tx_s: float
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int
    slow: int = 0
    """Those that took more than SLOW_US."""
    approved_p50_us: int = 0
    """Of the approved ones alone: a refusal at the door is quick."""
    approved_p99_us: int = 0
    last_refusal: str = ""
    scheduled: int = 0
    """Sales of an open loop's schedule; 0 in a closed loop, as are the two below."""
    backlog: int = 0
    """The most of them that were due at one moment and waited for a terminal."""
    unsent: int = 0
    """Those that were given up, or had no terminal left that may sell."""
    offline: int = 0
    """Approved by the terminal alone, and told to the host later."""
    kinds: dict[str, dict[str, int]] = {}
    """Of a mix: by kind how often which response code came."""
    entries: dict[str, int] = {}
    """Of a mix: how often cards came in which way."""


def percentile(values: Sequence[int], percent: float) -> int:
    """Nearest rank, of sorted values; 0 when there are none.

    >>> percentile([10, 20, 30, 40], 50), percentile([10, 20, 30, 40], 99), percentile([], 50)
    (20, 40, 0)
    """
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else 0


class Tally:
    """Counts while the load runs."""

    def __init__(self) -> None:
        self.approved = 0
        self.declined: Counter[str] = Counter()
        self.unknown = 0
        self.reversed = 0
        self.refused = 0
        self.offline = 0
        self.batches_closed = 0
        self.last_refusal = ""
        self.latencies_us: list[int] = []
        self._approved_us: list[int] = []
        self._reported = 0
        self._reported_at_s = 0.0

    @property
    def answered(self) -> int:
        return len(self.latencies_us)

    def count(self, result: SwipeResult, latency_us: int) -> None:
        """One swipe; `latency_us` counts when it was answered."""
        if result.reversal is not None and result.reversal.ended:
            self.reversed += 1
        if result.refused:
            self.refused += 1
            self.last_refusal = result.refused
        elif result.stored or not result.rc or (result.pending and result.rc in APPROVALS):
            if result.stored and not result.reason:
                self.offline += 1
            else:
                self.unknown += 1
        else:
            self.latencies_us.append(latency_us)
            if result.approved:
                self.approved += 1
                self._approved_us.append(latency_us)
            else:
                self.declined[result.rc] += 1

    def progress(self, elapsed_s: float) -> Progress:
        """Since the load began, and since the last call."""
        recent = sorted(self.latencies_us[self._reported :])
        interval_s = max(elapsed_s - self._reported_at_s, 1e-9)
        self._reported, self._reported_at_s = self.answered, elapsed_s
        return Progress(
            elapsed_s=elapsed_s,
            tx=self.answered,
            approved=self.approved,
            declined=self.declined.total(),
            unknown=self.unknown,
            reversed=self.reversed,
            tx_s=len(recent) / interval_s,
            p50_us=percentile(recent, 50),
            p99_us=percentile(recent, 99),
        )

    def report(
        self,
        *,
        terminals: int,
        duration_s: float,
        pending: int,
        schedule: Schedule | None = None,
        kinds: dict[str, dict[str, int]] | None = None,
        entries: dict[str, int] | None = None,
    ) -> LoadReport:
        """The sum of it all; `schedule` is an open loop's, `kinds` and `entries` a mix's."""
        values, approved = sorted(self.latencies_us), sorted(self._approved_us)
        return LoadReport(
            terminals=terminals,
            duration_s=duration_s,
            tx=len(values),
            approved=self.approved,
            declined=dict(self.declined),
            unknown=self.unknown,
            reversed=self.reversed,
            pending=pending,
            refused=self.refused,
            batches_closed=self.batches_closed,
            tx_s=len(values) / duration_s if duration_s > 0 else 0.0,
            p50_us=percentile(values, 50),
            p95_us=percentile(values, 95),
            p99_us=percentile(values, 99),
            max_us=values[-1] if values else 0,
            slow=len(values) - bisect_right(values, SLOW_US),
            approved_p50_us=percentile(approved, 50),
            approved_p99_us=percentile(approved, 99),
            last_refusal=self.last_refusal,
            scheduled=schedule.scheduled if schedule else 0,
            backlog=schedule.backlog if schedule else 0,
            unsent=schedule.unsent if schedule else 0,
            offline=self.offline,
            kinds=kinds or {},
            entries=entries or {},
        )
