"""`python -m reliability.power`: power cuts under load, each followed by a start from a copy of the disk.

Exits 1 when something that had been acknowledged is gone, a projection is ahead of its journal, or the books do not hold. Writes
build/power.json; with --page it remakes its section of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.page import table
from bench.stack import temporary_directory
from reliability.page import section
from reliability.power.machine import Machine
from reliability.power.trial import Trial, cut

REPORT = Path("build/power.json")
KEPT = Path("build/power.img")
LONGEST_S, CONCURRENCY = 2.0, 24
VERIFY_EVERY = 5
"""Cuts between two looks at all the books; a look covers every cut before it."""
HEAD = ("cut", "sold for, s", "answered", "approvals held by terminals", "lost", "behind", "ahead", "ready, s", "books")


class Report(msgspec.Struct, kw_only=True):
    seed: int
    synced: bool
    trials: list[Trial]

    @property
    def good(self) -> bool:
        return all(trial.good for trial in self.trials)


def rows(report: Report) -> list[tuple[str, ...]]:
    return [
        (
            str(t.number),
            f"{t.after_s:.2f}",
            f"{t.answered:,}",
            f"{t.acknowledged:,}",
            f"{t.lost:,}",
            f"{t.behind:,}",
            f"{t.ahead:,}",
            f"{t.ready_s:.1f}",
            {True: "held", False: "NOT held", None: ""}[t.held],
        )
        for t in report.trials
    ]


def text(report: Report) -> str:
    trials = report.trials
    ready = sorted(t.ready_s for t in trials)
    verdict = (
        f"{len(trials)} cuts (seed {report.seed}): {sum(t.answered for t in trials):,} sales answered, "
        f"{sum(t.lost for t in trials)} acknowledged lost, {sum(t.ahead for t in trials)} groups ahead; "
        f"ready after {ready[len(ready) // 2]:.1f} s (median), {ready[-1]:.1f} s (longest); "
        f"books held at {sum(t.held is True for t in trials)} of {sum(t.held is not None for t in trials)} looks."
    )
    return f"{verdict}\n\n{table(HEAD, rows(report))}"


def trials(directory: Path, report: Report, *, cuts: int) -> None:
    """Fills the report, cut by cut; ends at the first that is not good."""
    chance, machine = random.Random(report.seed), Machine(directory, synced=report.synced)
    machine.build()
    try:
        machine.start()
        for number in range(1, cuts + 1):
            verify = number % VERIFY_EVERY == 0 or number == cuts
            report.trials.append(
                cut(machine, number, chance, longest_s=LONGEST_S, concurrency=CONCURRENCY, verify=verify)
            )
            last = report.trials[-1]
            sys.stderr.write(f"cut {number}: lost {last.lost}, {'good' if last.good else last.said or 'NOT good'}\n")
            if not last.good:
                break
    finally:
        machine.stop()
    if report.synced and not report.good:
        KEPT.unlink(missing_ok=True)
        machine.disk.copy(KEPT)
        sys.stderr.write(f"power: the disk, to be looked at: {KEPT} (mount -o loop,ro)\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.power", description="Power cuts under load.")
    parser.add_argument("--cuts", type=int, default=20, help="how many (default 20)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1 << 32), help="of the moments (default: another each time)"
    )
    parser.add_argument("--unsynced", action="store_true", help="with a broker that syncs every two minutes: must lose")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.cuts < 1:
        parser.error("--cuts: must be at least 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is mounted is not left behind
    report, whole = Report(seed=arguments.seed, synced=not arguments.unsynced, trials=[]), False
    try:
        with temporary_directory() as name:
            trials(Path(name).resolve(), report, cuts=arguments.cuts)
        whole = True
    except BenchError as error:
        sys.stderr.write(f"power: {error}\n")
    finally:
        show(report)
    if not report.synced:
        return 0 if whole and any(t.lost or t.said for t in report.trials) else 1
    if arguments.page and whole and report.good:
        section("POWER", text(report))
    return 0 if whole and report.good else 1


def show(report: Report) -> None:
    """What has been tried so far, on the screen and in build/power.json."""
    shown = Table(*HEAD)
    for row in rows(report):
        shown.add_row(*row)
    Console(highlight=False, width=max(Console().width, 140)).print(shown)
    for trial in report.trials:
        if trial.said:
            sys.stderr.write(f"power: cut {trial.number}: {trial.said}\n")
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


if __name__ == "__main__":
    raise SystemExit(main())
