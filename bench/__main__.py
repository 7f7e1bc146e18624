"""`python -m bench`: the path beside the bare chain, in turns, in one run. Prints a table and writes build/bench.json.

p50 and p99 are taken one transaction at a time, throughput and CPU with many in flight; every figure is the median of the rounds.
Both sides stand all the while; the one that is not measured idles. CPU counts every process of a side: broker, services, and the
client (here the simulated terminals, which build frames, PIN blocks and MACs; the chain's client sends bytes).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.table import Table

from bench.figures import FIGURES, Figures, Summary, as_json, ratio, summarise
from bench.floor import Floor
from bench.stack import BenchError, Stack, temporary_directory

REPORT = Path("build/bench.json")
WARM_UP_S = 1.0


class Side(Protocol):
    def measure(self, *, concurrency: int, duration_s: float) -> Figures: ...


def measure_in_turns(sides: dict[str, Side], arguments: argparse.Namespace) -> dict[str, Summary]:
    """All rounds; which side goes first changes from round to round, so that drift of the machine meets both alike."""
    alone: dict[str, list[Figures]] = defaultdict(list)
    loaded: dict[str, list[Figures]] = defaultdict(list)
    for side in sides.values():
        side.measure(concurrency=arguments.concurrency, duration_s=WARM_UP_S)
    for number in range(arguments.rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for runs, concurrency in ((alone, 1), (loaded, arguments.concurrency)):
            for name in order:
                runs[name].append(sides[name].measure(concurrency=concurrency, duration_s=arguments.duration))
        line = ", ".join(f"{name} {alone[name][-1].p50_us:,.0f} µs {loaded[name][-1].tx_s:,.0f} tx/s" for name in sides)
        sys.stderr.write(f"round {number + 1} of {arguments.rounds}: {line}\n")
    return {name: summarise(alone[name], loaded[name]) for name in sides}


def show(path: Summary, floor: Summary, ratios: dict[str, float], concurrency: int) -> None:
    titles = {
        "p50_us": "p50 µs, one at a time",
        "p99_us": "p99 µs, one at a time",
        "tx_s": f"tx/s, {concurrency} in flight",
        "cpu_us_per_tx": f"CPU µs per tx, {concurrency} in flight",
    }
    console = Console()
    table = Table("", "path", "bare chain", "ratio")
    for name in FIGURES:
        table.add_row(
            titles[name], f"{getattr(path, name):,.0f}", f"{getattr(floor, name):,.0f}", f"{ratios[name]:.2f}"
        )
    console.print(table)
    for side, summary in (("path", path), ("bare chain", floor)):
        parts = ", ".join(f"{name} {us:,.0f}" for name, us in summary.cpu_us_per_process.items())
        console.print(f"CPU µs per tx, {side}: {parts}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The path beside a bare chain.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds per run (default 3)")
    parser.add_argument("--concurrency", type=int, default=64, help="in flight under load (default 64)")
    arguments = parser.parse_args()
    try:
        with temporary_directory() as name, Stack(Path(name) / "stack") as stack, Floor(Path(name) / "floor") as floor:
            summaries = measure_in_turns({"path": stack, "floor": floor}, arguments)
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    ratios = ratio(summaries["path"], summaries["floor"])
    show(summaries["path"], summaries["floor"], ratios, arguments.concurrency)
    report: dict[str, object] = {name: as_json(summary) for name, summary in summaries.items()}
    report |= {"ratio": ratios, "run": vars(arguments) | {"cpus": os.cpu_count()}}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    sys.stdout.write(f"written: {REPORT}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
