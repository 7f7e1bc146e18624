"""`python -m reliability.simulation --page`: the sections of docs/reliability.md that `make sim` and `make sim-bugs` have the figures for.

Reads build/sim.json, or the reports named (a long run may be made in parts), and build/sim-bugs.json where it is.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.page import table
from reliability import page

REPORT, BUGS = Path("build/sim.json"), Path("build/sim-bugs.json")


class Days(msgspec.Struct):
    """A report of `make sim`, as far as it matters here."""

    first: int
    seeds: int
    seconds: float
    cores: int
    transactions: int
    callbacks: int
    virtual_s: float
    faults: dict[str, int]
    failing: list[msgspec.Raw]


class Caught(msgspec.Struct):
    """A row of the report of `make sim-bugs`."""

    bug: str
    what: str
    seeds: int
    invariants: list[str]
    made_good: str


def days_text(reports: list[Days]) -> str:
    faults: Counter[str] = Counter()
    for report in reports:
        faults.update(report.faults)
    seeds, seconds = sum(r.seeds for r in reports), sum(r.seconds * r.cores for r in reports)
    failing = sum(len(r.failing) for r in reports)
    rows = [[name, f"{times:,}"] for name, times in faults.most_common()]
    return (
        f"{seeds:,} seeds from {min(r.first for r in reports)} on: {sum(r.transactions for r in reports):,} transactions, "
        f"{faults.total():,} faults, {sum(r.virtual_s for r in reports) / 3600:.1f} hours of virtual time, "
        f"{sum(r.callbacks for r in reports):,} callbacks; {failing} seeds failing. "
        f"{seconds:,.0f} s of a core, {seeds / seconds:.1f} seeds a second and core.\n\n"
        + table(["fault", "times"], rows)
    )


def bugs_text(rows: list[Caught]) -> str:
    caught = [row for row in rows if row.invariants]
    lines = [
        [
            row.what + (f" ({row.made_good})" if row.made_good else ""),
            ", ".join(row.invariants) or "not caught",
            str(row.seeds),
        ]
        for row in rows
    ]
    return f"{len(caught)} of {len(rows)} caught.\n\n" + table(["bug", "broken", "days until then"], lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.simulation", description=__doc__)
    parser.add_argument(
        "--page", action="store_true", help="remake the sections of docs/reliability.md; else they are printed"
    )
    parser.add_argument("reports", nargs="*", type=Path, default=[REPORT], help=f"of `make sim` (default {REPORT})")
    arguments = parser.parse_args()
    try:
        reports = [msgspec.json.decode(path.read_bytes(), type=Days) for path in arguments.reports]
        sections = {"simulation": days_text(reports)}
        if BUGS.exists():
            sections["simulation-bugs"] = bugs_text(msgspec.json.decode(BUGS.read_bytes(), type=list[Caught]))
        for name, text in sections.items():
            if arguments.page:
                page.section(name, text)
            else:
                print(text)
    except (OSError, msgspec.MsgspecError, BenchError) as error:
        sys.stderr.write(f"reliability.simulation: {error}; run `make sim` first\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
