"""`python -m traces`: 10,000 swipes under load and every trace counted; then the same through a kill -9 of each service.

Exits 1 when a swipe without a kill has no whole trace, or when a kill does not explain what is missing. Writes build/traces.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.stack import Stack, temporary_directory
from traces.run import Outcome, as_json, run

REPORT = Path("build/traces.json")
KILLED = ("terminal-gw", "auth-a", "auth-b", "issuer-sim", "receipts", "settlement", "collector")
KILL_S = 5.0


def show(outcomes: list[Outcome]) -> None:
    table = Table(
        "killed",
        "sent",
        "answered",
        "traces",
        "whole",
        "orphans",
        "no beginning",
        "twice",
        "missing hops",
        "unexplained",
    )
    for row in outcomes:
        found = row.count
        missing = ", ".join(f"{hop} × {number}" for hop, number in found.missing.items())
        numbers = (row.sent, row.answered, found.swipes, found.whole, found.orphans, found.headless, found.duplicates)
        table.add_row(row.killed or "nobody", *(f"{n:,}" for n in numbers), missing or "none", str(row.unexplained))
    Console(highlight=False, width=max(Console().width, 160)).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m traces", description="Every swipe a trace, with every hop.")
    parser.add_argument("--swipes", type=int, default=10_000, help="without a kill (default 10000)")
    parser.add_argument("--rate", type=float, default=400.0, help="swipes a second (default 400)")
    parser.add_argument("--no-kills", action="store_true", help="only the first count")
    arguments = parser.parse_args()
    if arguments.swipes < 1 or arguments.rate <= 0:
        parser.error("--swipes and --rate: must be more than 0")
    outcomes: list[Outcome] = []
    try:
        with temporary_directory() as name, Stack(Path(name) / "data"):
            for kill in ("", *(() if arguments.no_kills else KILLED)):
                sys.stderr.write(f"selling{f', and {kill} is killed' if kill else ''}\n")
                swipes = round(arguments.rate * KILL_S) if kill else arguments.swipes
                outcomes.append(run(Path(name) / "data", swipes=swipes, rate=arguments.rate, kill=kill))
    except BenchError as error:
        sys.stderr.write(f"traces: {error}\n")
        return 1
    show(outcomes)
    REPORT.write_bytes(as_json(outcomes))
    complaints = [f"killed {row.killed or 'nobody'}: {said}" for row in outcomes for said in row.complaints]
    for complaint in complaints:
        sys.stderr.write(f"traces: {complaint}\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
