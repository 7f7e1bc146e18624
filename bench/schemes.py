"""`python -m bench.schemes`: what a sale costs by the terminal's key scheme, on one stack, in turns. Prints a table, writes build/bench-schemes.json.

Session keys with CUP-ECB, TDES DUKPT with X9.19, AES DUKPT with AES-CMAC and PIN format 4: the world's terminals for load.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.figures import Figures, medians
from bench.load import Load
from bench.report import as_json
from bench.stack import Stack, temporary_directory
from world import KeyScheme

REPORT = Path("build/bench-schemes.json")
WARM_UP_S = 1.0
_SHOWN = ("terminal-gw", "terminals")
"""Processes that work with terminals' keys."""


def measure(stack: Stack, *, rounds: int, duration_s: float, concurrency: int) -> dict[str, Figures]:
    """All rounds; the order turns from round to round, so that drift of the machine meets all alike."""
    schemes = [scheme.value for scheme in KeyScheme]
    runs: dict[str, list[Figures]] = defaultdict(list)
    for scheme in schemes:
        stack.measure(Load(WARM_UP_S, concurrency=concurrency, scheme=scheme))
    for number in range(rounds):
        for scheme in schemes[number % len(schemes) :] + schemes[: number % len(schemes)]:
            runs[scheme].append(stack.measure(Load(duration_s, concurrency=concurrency, scheme=scheme)))
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
    return {scheme: medians(runs[scheme]) for scheme in schemes}


def show(columns: dict[str, Figures]) -> None:
    table = Table("scheme", "tx/s", "p50 µs", "CPU µs per tx", *(f"of it {name}" for name in _SHOWN))
    for scheme, figures in columns.items():
        parts = [f"{figures.cpu_us.get(name, 0.0):,.0f}" for name in _SHOWN]
        table.add_row(scheme, f"{figures.tx_s:,.0f}", f"{figures.p50_us:,.0f}", f"{figures.cpu_us_per_tx:,.0f}", *parts)
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.schemes", description="A sale by the terminal's key scheme.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds per run (default 3)")
    parser.add_argument("--concurrency", type=int, default=16, help="in flight (default 16)")
    arguments = parser.parse_args()
    try:
        with temporary_directory() as name, Stack(Path(name) / "stack") as stack:
            columns = measure(
                stack, rounds=arguments.rounds, duration_s=arguments.duration, concurrency=arguments.concurrency
            )
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    show(columns)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_bytes(as_json({**columns, "run": vars(arguments) | {"cpus": os.cpu_count()}}))
    sys.stdout.write(f"written: {REPORT}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
