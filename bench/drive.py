"""Load on a chain: requests with so many in flight, or at a rate, by the same schedule as the terminals' open loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from bench.figures import percentile_us
from terminal_sim.schedule import Schedule

PAYLOAD_BYTES = 400
MOST_ACCOUNTS = 9999

Ask = Callable[[bytes], Awaitable[bytes]]
"""One request and its answer."""
Clock = Callable[[], float]
"""Seconds."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain's client is asked to do: one line of JSON."""

    duration_s: float
    workers: int
    """In flight at most; each has an account of its own, so no compare-and-set fails."""
    rate: float = 0.0
    """A second, for an open loop; 0: each worker asks as soon as it has been answered."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What it answers: another line."""

    count: int
    p50_us: float
    p99_us: float
    tx_s: float
    backlog: int = 0


class _Done(NamedTuple):
    latencies_s: list[float]
    wall_s: float
    backlog: int


async def drive(ask: Ask, order: Order, clock: Clock = time.perf_counter) -> Result:
    """Asks as ordered; RuntimeError when an answer is not what was asked."""
    done = await (_open(ask, order, clock) if order.rate else _closed(ask, order, clock))
    return Result(
        count=len(done.latencies_s),
        p50_us=percentile_us(done.latencies_s, 0.50),
        p99_us=percentile_us(done.latencies_s, 0.99),
        tx_s=len(done.latencies_s) / done.wall_s,
        backlog=done.backlog,
    )


async def _closed(ask: Ask, order: Order, clock: Clock) -> _Done:
    latencies_s: list[float] = []
    began_s = clock()

    async def worker(index: int) -> None:
        payload = payload_of(index)
        while (sent_s := clock()) - began_s < order.duration_s:
            await _ask(ask, payload)
            latencies_s.append(clock() - sent_s)

    await asyncio.gather(*(worker(index) for index in range(order.workers)))
    return _Done(latencies_s, clock() - began_s, 0)


async def _open(ask: Ask, order: Order, clock: Clock) -> _Done:
    """Latencies count from the scheduled moment, whether or not a worker was free then."""
    latencies_s: list[float] = []
    schedule = Schedule(order.rate, order.duration_s)
    began_s = clock()

    async def worker(index: int) -> None:
        payload = payload_of(index)
        while (moment_s := schedule.take()) is not None:
            due_s = began_s + moment_s
            if (early_s := due_s - clock()) > 0:
                await asyncio.sleep(early_s)
            begun_s = clock()
            schedule.begin(begun_s - began_s)
            await _ask(ask, payload)
            latencies_s.append(clock() - min(due_s, begun_s))  # timers may be half a millisecond early

    await asyncio.gather(*(worker(index) for index in range(order.workers)))
    return _Done(latencies_s, clock() - began_s, schedule.backlog)


def payload_of(account: int) -> bytes:
    """A request: the account's number in four digits, and as many bytes as a record of the journal has."""
    if not 0 <= account <= MOST_ACCOUNTS:
        raise ValueError(f"account: {account} is not between 0 and {MOST_ACCOUNTS}")
    return f"{account:04d}".encode().ljust(PAYLOAD_BYTES, b".")


async def _ask(ask: Ask, payload: bytes) -> None:
    if await ask(payload) != payload:
        raise RuntimeError("the chain answered something else than it was asked")
