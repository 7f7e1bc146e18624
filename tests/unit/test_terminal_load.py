"""The open loop: when sales are due, and from when their latency counts. Time is the event loop's own, moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

import world
from terminal_sim.load import run_load
from terminal_sim.results import SwipeResult
from terminal_sim.schedule import Schedule
from terminal_sim.tally import LoadReport
from tests.support_time import VirtualLoop

CARDS = world.load_cards()[:2]


class SlowTill:
    """A till whose every sale takes `sale_s`, or that the host refuses for ever."""

    batch_full = False
    pending = False

    def __init__(self, sale_s: float, *, closed: bool = False) -> None:
        self._sale_s = sale_s
        self._closed = closed

    async def make_ready(self, ahead: list[Any]) -> None:
        return

    async def swipe(self, *_: Any) -> SwipeResult:
        if self._closed:
            return SwipeResult(rc="58", refused="the host does not let this terminal sell")
        await asyncio.sleep(self._sale_s)
        return SwipeResult(rc="00", duration_us=int(self._sale_s * 1e6))


def sell(tills: list[SlowTill], *, rate: float, duration_s: float, patience_s: float = 30.0) -> LoadReport:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        work: Coroutine[Any, Any, LoadReport] = run_load(
            tills,  # type: ignore[arg-type]
            CARDS,
            duration_s=duration_s,
            rate=rate,
            patience_s=patience_s,
            clock=runner.get_loop().time,
        )
        return runner.run(work)


def test_latency_counts_from_the_scheduled_moment() -> None:
    """One till that takes 0.3 s, a sale due every 0.1 s: the n-th (from 0) ends at 0.3 (n + 1) and was due at 0.1 n."""
    report = sell([SlowTill(0.3)], rate=10.0, duration_s=1.0)
    assert (report.scheduled, report.tx, report.unsent) == (10, 10, 0)
    assert report.max_us == pytest.approx(2_100_000, abs=2)  # 3.0 s after the beginning, due at 0.9 s
    assert report.p50_us == pytest.approx(1_100_000, abs=2)  # the fifth: 1.5 s, due at 0.4 s
    assert report.backlog == 6  # at 0.9 s all ten are due, and the fourth begins
    assert report.duration_s == pytest.approx(3.0)


def test_enough_tills_and_nothing_waits() -> None:
    report = sell([SlowTill(0.3) for _ in range(4)], rate=10.0, duration_s=1.0)
    assert (report.tx, report.backlog) == (10, 0)
    assert report.max_us == pytest.approx(300_000, abs=2)


def test_a_backlog_that_nobody_will_live_to_see_is_given_up_and_counted() -> None:
    report = sell([SlowTill(1.0)], rate=100.0, duration_s=1.0, patience_s=2.0)
    assert report.scheduled == 100
    assert report.tx == 3
    assert report.unsent == 97


def test_sales_that_no_terminal_is_left_for_are_counted() -> None:
    report = sell([SlowTill(0.0, closed=True)], rate=10.0, duration_s=1.0)
    assert (report.scheduled, report.refused, report.unsent, report.tx) == (10, 1, 9, 0)


def test_a_schedule_holds_what_is_due_before_its_end() -> None:
    schedule = Schedule(3.0, 1.0)
    moments = []
    while (moment := schedule.take()) is not None:
        moments.append(moment)
    assert moments == pytest.approx([0.0, 1 / 3, 2 / 3])
    assert Schedule(0.5, 1.0).scheduled == 1
    assert Schedule(0.1, 30.0).scheduled == 3
