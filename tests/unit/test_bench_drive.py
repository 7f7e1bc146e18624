"""Load on a chain and the turns that sides take, in a time that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from bench.drive import Order, Result, drive, payload_of
from bench.figures import Figures
from bench.load import Load
from bench.rounds import in_turns
from tests.support_time import VirtualLoop

ANSWER_S = 0.25


def run(order: Order, *, one_at_a_time: bool = False) -> Result:
    """A chain that takes ANSWER_S, for as many requests at once as come or for one."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        lock = asyncio.Lock()

        async def ask(payload: bytes) -> bytes:
            if one_at_a_time:
                async with lock:
                    await asyncio.sleep(ANSWER_S)
            else:
                await asyncio.sleep(ANSWER_S)
            return payload

        work: Coroutine[Any, Any, Result] = drive(ask, order, runner.get_loop().time)
        return runner.run(work)


def test_closed_loop() -> None:
    result = run(Order(duration_s=3.0, workers=4))
    assert (result.count, result.backlog) == (48, 0)
    assert result.tx_s == pytest.approx(16)
    assert result.p99_us == pytest.approx(250_000)


def test_open_loop_counts_from_the_scheduled_send() -> None:
    """A send every 0.1 s to a chain that takes 0.25 s for each, one after the other: the last, due at 0.9 s, is answered at 2.5 s."""
    result = run(Order(duration_s=1.0, workers=10, rate=10.0), one_at_a_time=True)
    assert (result.count, result.backlog) == (10, 0)
    assert result.p99_us == pytest.approx(1_600_000)
    assert result.p50_us == pytest.approx(1_000_000)  # the sixth: due at 0.5 s, answered at 1.5 s


def test_sends_that_wait_for_a_worker_are_late_too() -> None:
    result = run(Order(duration_s=1.0, workers=1, rate=10.0))
    assert result.p99_us == pytest.approx(1_600_000)
    assert result.backlog == 5  # at 1 s all ten are due, and the fifth is sent


def test_a_wrong_answer_is_no_figure() -> None:
    async def ask(payload: bytes) -> bytes:
        return payload[:-1]

    with pytest.raises(RuntimeError, match="something else"):
        asyncio.run(drive(ask, Order(duration_s=1.0, workers=1)))


def test_an_account_has_four_digits() -> None:
    assert payload_of(42).startswith(b"0042.")
    with pytest.raises(ValueError, match="account: 10000"):
        payload_of(10_000)


class Noted:
    def __init__(self, name: str, notes: list[tuple[str, Load]]) -> None:
        self._name, self._notes = name, notes

    def measure(self, load: Load) -> Figures:
        self._notes.append((self._name, load))
        return Figures(p50_us=len(self._notes), p99_us=1.0, tx_s=1.0, cpu_us={})


def test_sides_take_turns_and_the_first_is_not_always_the_same() -> None:
    notes: list[tuple[str, Load]] = []
    told: list[str] = []
    loads = (Load(1.0, concurrency=1), Load(1.0, rate=5.0))
    sides = {name: Noted(name, notes) for name in "ab"}
    moments = iter(range(0, 1000, 30))
    runs = in_turns(sides, loads, rounds=2, tell=told.append, clock=lambda: float(next(moments)))
    assert [name for name, _ in notes] == ["a", "b", "a", "b", "b", "a", "b", "a"]
    assert [figures.p50_us for figures in runs[loads[0]]["a"]] == [1, 6]
    assert [figures.p50_us for figures in runs[loads[1]]["b"]] == [4, 7]
    assert told[0] == "round 1 of 2, one at a time: a 1 µs, b 2 µs; 1.5 min to go"
    assert told[-1].startswith("round 2 of 2, 5 a second:")
    assert told[-1].endswith("0.0 min to go")
