"""Phases of load, each a share of what the stack can hold."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.load import Load
from bench.page import table
from bench.stack import Stack
from reliability.selling import Selling, failed

IN_FLIGHT = 256
SHED = "96"
MOST_TERMINALS = 1000
NORMAL = 2.0
"""Back to normal: p50 within so many times that of the first phase, and nothing shed."""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One share of the capacity, for a while."""

    share: float
    offered_s: float
    """Sales a second, scheduled."""
    answered_s: float
    """Sales a second that were let in and answered."""
    shed_s: float
    failed: int
    """Neither let in and approved nor shed."""
    p50_ms: float
    p99_ms: float
    """Of what was let in, from the scheduled moment."""
    rss_mib: dict[str, float]
    """At its end, by process."""
    normal_after_s: float = 0.0
    """When a second was like the first phase's; 0: not looked for, or never."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    capacity_s: float
    """Sales a second in a closed loop with IN_FLIGHT in flight."""
    phases: list[Phase]


class Plan(NamedTuple):
    """How long everything goes on."""

    duration_s: float
    shares: tuple[float, ...]


def run(stack: Stack, data_dir: Path, plan: Plan) -> Result:
    """Measures the capacity, then each share of it, then the first share again; raises BenchError."""
    stack.measure(Load(2.0, concurrency=IN_FLIGHT))  # warm
    capacity_s = stack.measure(Load(plan.duration_s, concurrency=IN_FLIGHT)).tx_s
    phases: list[Phase] = []
    for share in (*plan.shares, plan.shares[0]):
        normal_ms = phases[0].p50_ms * NORMAL if len(phases) == len(plan.shares) else 0.0
        phases.append(_phase(stack, data_dir, share, share * capacity_s, plan.duration_s, normal_ms=normal_ms))
    return Result(capacity_s=capacity_s, phases=phases)


def _phase(stack: Stack, data_dir: Path, share: float, rate: float, duration_s: float, *, normal_ms: float) -> Phase:
    with Selling(data_dir, rate=rate, duration_s=duration_s, more=("--terminals", str(MOST_TERMINALS))) as selling:
        report = selling.report()
    shed = report.declined.get(SHED, 0)
    return Phase(
        share=share,
        offered_s=report.scheduled / duration_s,
        answered_s=report.approved / report.duration_s,
        shed_s=shed / report.duration_s,
        failed=failed(report) - shed,
        p50_ms=report.approved_p50_us / 1000,
        p99_ms=report.approved_p99_us / 1000,
        rss_mib=stack.memory(),
        normal_after_s=next((s.elapsed_s for s in selling.seconds if s.p50_ms <= normal_ms), 0.0),
    )


def text(result: Result, *, stack: int, terminals: int) -> str:
    """The table, as the run prints it and as the page shows it; `stack` and `terminals` are how many cores each had."""
    head = (
        "of the capacity",
        "offered /s",
        "let in /s",
        "shed /s",
        "failed",
        "p50 ms",
        "p99 ms",
        "gateway MiB",
        "all MiB",
    )
    rows = (
        (
            f"{phase.share:g}×{' again' if number == len(result.phases) - 1 else ''}",
            f"{phase.offered_s:,.0f}",
            f"{phase.answered_s:,.0f}",
            f"{phase.shed_s:,.0f}",
            f"{phase.failed}",
            f"{phase.p50_ms:,.1f}",
            f"{phase.p99_ms:,.0f}",
            f"{phase.rss_mib['terminal-gw']:,.0f}",
            f"{sum(phase.rss_mib.values()):,.0f}",
        )
        for number, phase in enumerate(result.phases)
    )
    after_s = result.phases[-1].normal_after_s
    back = f"back to normal within {after_s:.0f} s" if after_s else "not back to normal"
    said = (
        f"Capacity {result.capacity_s:,.0f} sales a second, {IN_FLIGHT} in flight, with {_cores(stack)} for the stack and {_cores(terminals)} for the terminals; "
        f"after the overload {back}."
    )
    return f"{said}\n\n{table(head, rows)}"


def _cores(count: int) -> str:
    return f"{count} core{'s' if count > 1 else ''}"
