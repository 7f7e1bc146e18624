"""One process, or all in turn, restarted so many times under load."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.page import table
from bench.stack import lianji
from reliability.selling import Selling, failed

LONGEST_S = 3600.0
"""The load is ended when the restarts are done."""
AFTER_S = 1.0
RESTART_S = 240.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of restarting one process, or all."""

    name: str
    restarts: int
    """Processes that were replaced."""
    slowest_s: float
    """The longest of them, from the order to the successor's being alone."""
    sales: int
    failed: int
    how: dict[str, int]
    """Of the failed: by response code; `none`, no usable answer; `unsent`, never sent."""
    dialled_again: int
    """Tries of a terminal that found no line, and sent nothing; the sale came after."""
    longest_wait_ms: float
    p99_ms: float


def restarted(data_dir: Path, name: str, *, times: int, rate: float) -> Row:
    """Restarts `name`, one process or all, `times` times while terminals sell; raises BenchError."""
    seconds: list[float] = []
    with Selling(data_dir, rate=rate, duration_s=LONGEST_S) as selling:
        for _ in range(times):
            seconds += _restart(data_dir, name)
        time.sleep(AFTER_S)  # what the last restart has left behind is to be seen, too
        selling.end()
        report = selling.report()
    return Row(
        name=name,
        restarts=len(seconds),
        slowest_s=max(seconds),
        sales=report.tx + report.unknown,
        failed=failed(report),
        how={
            what: count
            for what, count in {**report.declined, "none": report.unknown, "unsent": report.unsent}.items()
            if count
        },
        dialled_again=report.refused,
        longest_wait_ms=report.max_us / 1000,
        p99_ms=report.p99_us / 1000,
    )


def _restart(data_dir: Path, name: str) -> list[float]:
    done = subprocess.run(
        lianji("restart", name, "--json", "--data-dir", str(data_dir)),
        capture_output=True,
        text=True,
        timeout=RESTART_S,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"lianji restart {name}: {done.stderr.strip()[-500:]}")
    return [step["seconds"] for step in json.loads(done.stdout)["restarted"]]


def text(rows: list[Row], *, rate: float, cpus: int) -> str:
    """The table, as the run prints it and as the page shows it."""
    head = ("restarted", "processes replaced", "slowest, s", "sales meanwhile", "failed", "longest wait, ms", "p99, ms")
    lines = (
        (
            row.name,
            f"{row.restarts}",
            f"{row.slowest_s:.1f}",
            f"{row.sales:,}",
            f"{row.failed}",
            f"{row.longest_wait_ms:,.0f}",
            f"{row.p99_ms:,.0f}",
        )
        for row in rows
    )
    total = sum(row.sales for row in rows)
    said = (
        f"{sum(row.restarts for row in rows)} processes replaced on {cpus} cores at {rate:g} sales a second: {total:,} sales, "
        f"{sum(row.failed for row in rows)} failed, {sum(row.dialled_again for row in rows)} times a terminal had to dial again."
    )
    return f"{said}\n\n{table(head, lines)}"
