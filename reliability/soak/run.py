"""The long run: load like that of shops, which close their batches, and the memory of each process all along."""

from __future__ import annotations

import statistics
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.load import Load
from bench.page import table
from bench.stack import Stack
from reliability.selling import Selling, failed

IN_FLIGHT = 64
CAPACITY_S = 10.0
SAMPLE_S = 5.0
SAY_EVERY = 12
"""Samples: a minute."""
WARM_UP = 1 / 6
"""Of the run: caches fill, and the first batches."""
EDGE = 1 / 5
"""Of what follows: the median of its beginning is compared with that of its end. The broker's memory goes up and down with its collector's
rounds, an owner's with its snapshots, every minute or two: several of them must be in each."""
BATCH_SALES = 100
"""A shop's day. Open batches grow until they are closed."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """The resident memory of one process."""

    first_mib: float
    """After the warm-up."""
    last_mib: float
    most_mib: float

    @property
    def percent(self) -> float:
        return 100 * (self.last_mib / self.first_mib - 1) if self.first_mib else 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    minutes: float
    rate: float
    """Sales a second, scheduled: half of what a closed loop got."""
    sales: int
    failed: int
    slow: int
    """Above one second, from the scheduled moment."""
    p50_ms: float
    p99_ms: float
    longest_ms: float
    batches_closed: int
    memory: dict[str, Growth]

    @property
    def slow_percent(self) -> float:
        return 100 * self.slow / self.sales if self.sales else 100.0


class MemorySampler(threading.Thread):
    """Notes what the processes of a stack have in memory, every SAMPLE_S until stopped, and says so every SAY_EVERY of them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._stopping = threading.Event()
        self.samples: list[dict[str, float]] = []

    def run(self) -> None:
        while not self._stopping.wait(SAMPLE_S):
            self.samples.append(self._stack.memory())
            if len(self.samples) % SAY_EVERY == 0:
                held = ", ".join(f"{name} {mib:.0f}" for name, mib in sorted(self.samples[-1].items()))
                minutes = len(self.samples) * SAMPLE_S / 60
                print(f"soak: {minutes:.0f} min, resident MiB: {held}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


def growth(samples: Sequence[float]) -> Growth:
    """
    >>> growth([10, 50, *[100] * 8, *[110] * 2]).percent
    10.000000000000009
    """
    warm = samples[int(len(samples) * WARM_UP) :] or samples
    edge = max(1, int(len(warm) * EDGE))
    return Growth(
        first_mib=statistics.median(warm[:edge]), last_mib=statistics.median(warm[-edge:]), most_mib=max(warm)
    )


def run(stack: Stack, data_dir: Path, *, minutes: float, rate: float) -> Result:
    """Sells for so many minutes, at `rate` or, with 0, at half of the capacity; raises BenchError."""
    if not rate:
        stack.measure(Load(CAPACITY_S / 5, concurrency=IN_FLIGHT))  # warm
        rate = stack.measure(Load(CAPACITY_S, concurrency=IN_FLIGHT)).tx_s / 2
    sampler = MemorySampler(stack)
    with Selling(data_dir, rate=rate, duration_s=60 * minutes, more=("--batch", str(BATCH_SALES))) as selling:
        sampler.start()
        try:
            report = selling.report()
        finally:
            sampler.stop()
    return Result(
        minutes=minutes,
        rate=rate,
        sales=report.tx,
        failed=failed(report),
        slow=report.slow,
        p50_ms=report.p50_us / 1000,
        p99_ms=report.p99_us / 1000,
        longest_ms=report.max_us / 1000,
        batches_closed=report.batches_closed,
        memory={name: growth([sample[name] for sample in sampler.samples]) for name in sampler.samples[0]},
    )


def text(result: Result, *, cpus: int) -> str:
    """The table, as the run prints it and as the page shows it."""
    said = (
        f"{result.minutes:g} minutes at {result.rate:,.0f} sales a second, half of the capacity, on {cpus} cores: {result.sales:,} sales, "
        f"{result.failed} failed, {result.slow} ({result.slow_percent:.2f} %) above one second; p50 {result.p50_ms:.1f} ms, "
        f"p99 {result.p99_ms:.0f} ms, longest {result.longest_ms:,.0f} ms; {result.batches_closed:,} batches closed."
    )
    rows = (
        (name, f"{one.first_mib:,.1f}", f"{one.last_mib:,.1f}", f"{one.percent:+.1f} %", f"{one.most_mib:,.1f}")
        for name, one in sorted(result.memory.items())
    )
    head = ("resident, MiB", "after the warm-up", "at the end", "growth", "most")
    return f"{said}\n\n{table(head, rows)}"
