"""`python -m leaks`: card data searched for after traffic of all sorts, errors provoked in every service. Exits 1 when some is found.

Prints what was done, what was provoked and what was searched, and writes build/leaks.json.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.stack import temporary_directory
from leaks.result import Result
from leaks.run import run

REPORT = Path("build/leaks.json")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} × {count:,}" for name, count in counts.items()) or "none"


def show(result: Result) -> None:
    console = Console(highlight=False)
    did = Table("", "how often", title=f"{result.transactions:,} transactions, seed {result.seed}")
    for name in ("outcomes", "done", "frames", "frame_answers", "questions", "question_answers", "printed"):
        did.add_row(name.replace("_", " "), _counts(getattr(result, name)))
    console.print(did)
    provoked = Table("service", "failure forced in it", "times")
    for service, kinds in result.provoked.items():
        for kind, count in kinds.items():
            provoked.add_row(service, kind, f"{count:,}")
    console.print(provoked)
    searched = Table("place", "searched", "MB")
    for place, counts in result.searched.items():
        what = ", ".join(f"{number:,} {unit}" for unit, number in counts.items() if unit != "bytes")
        searched.add_row(place, what, f"{counts.get('bytes', 0) / 1e6:,.1f}")
    console.print(searched)
    held = ", ".join(f"{name} {'held' if holds else 'BROKEN'}" for name, holds in result.invariants.items())
    console.print(f"invariants: {held}")
    console.print(
        f"found: {result.found}; planted: {len(result.planted)}, of them found: {len(result.found_of_planted)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m leaks", description="Traffic with errors provoked, then the search."
    )
    parser.add_argument("--transactions", type=int, default=10_000, help="sales to try (default 10000)")
    parser.add_argument("--seed", type=int, default=0, help="to repeat a run's mix (default: a new one)")
    arguments = parser.parse_args()
    if arguments.transactions < 1:
        parser.error("--transactions: must be at least 1")
    try:
        with temporary_directory() as name:
            result = run(
                Path(name),
                transactions=arguments.transactions,
                seed=arguments.seed or secrets.randbelow(2**31 - 1) + 1,
                say=lambda text: print(text, file=sys.stderr, flush=True),
            )
    except BenchError as error:
        sys.stderr.write(f"leaks: {error}\n")
        return 1
    show(result)
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    sys.stdout.write(f"{result.took_s:g} s; written: {REPORT}\n")
    for complaint in result.complaints():
        sys.stderr.write(f"leaks: {complaint}\n")
    return 1 if result.complaints() else 0


if __name__ == "__main__":
    raise SystemExit(main())
