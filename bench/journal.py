"""`python -m bench.journal`: the path by the length of its journals, in turns, in one run. Prints a table, renews its part of build/bench.json.

Each stack begins with a history (bench.history). It is started twice: the first time everything is replayed from the first record, and
receipts and settlement catch up; it is drained, which leaves snapshots, and the second start is the one that is measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench import report
from bench.errors import BenchError
from bench.figures import medians
from bench.fill import fill
from bench.load import Load
from bench.page import journal_text
from bench.projections import wait_until_level
from bench.remake import remake
from bench.report import JournalReport, SizeReport, this_run
from bench.rounds import in_turns
from bench.stack import BANKS, OWNERS, Stack, temporary_directory

WARM_UP_S = 1.0


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


class Lived(NamedTuple):
    """A stack with a history, started, and what its starts took."""

    stack: Stack
    transactions: int
    kept: int
    replay_start_s: float
    replay_ms: float
    start_s: float
    switch_mib: float
    bank_mib: float


def live(directory: Path, transactions: int, standing: ExitStack) -> Lived:
    """Fills, starts, drains, and starts again on `standing`."""
    kept = 0
    if transactions:
        say(f"writing a history of {transactions:,} transactions")
        kept = fill(directory, transactions, say).kept
    say(f"{transactions:,} transactions: first start, everything is replayed")
    began_s = time.monotonic()
    with Stack(directory) as first:
        replay_start_s = time.monotonic() - began_s
        wait_until_level(directory, first.stored(), say)
        replay_ms = first.longest_replay_ms()
    began_s = time.monotonic()
    stack = standing.enter_context(Stack(directory))
    start_s = time.monotonic() - began_s
    say(f"{transactions:,} transactions: started in {replay_start_s:.1f} s, and from snapshots in {start_s:.1f} s")
    memory = stack.memory()
    return Lived(
        stack=stack,
        transactions=transactions,
        kept=kept,
        replay_start_s=replay_start_s,
        replay_ms=replay_ms,
        start_s=start_s,
        switch_mib=sum(memory[name] for name in OWNERS),
        bank_mib=memory[BANKS],
    )


def measure(lives: list[Lived], arguments: argparse.Namespace) -> JournalReport:
    sides = {f"{life.transactions:,}": life.stack for life in lives}
    alone, loaded = (Load(arguments.duration, concurrency=count) for count in (1, arguments.concurrency))
    for stack in sides.values():
        stack.measure(Load(WARM_UP_S, concurrency=arguments.concurrency))
    runs = in_turns(sides, (alone, loaded), rounds=arguments.rounds, tell=say)
    return JournalReport(
        run=this_run(rounds=arguments.rounds, duration_s=arguments.duration, concurrency=arguments.concurrency),
        sizes=[
            SizeReport(
                transactions=life.transactions,
                kept=life.kept,
                replay_start_s=life.replay_start_s,
                replay_ms=life.replay_ms,
                start_s=life.start_s,
                switch_mib=life.switch_mib,
                bank_mib=life.bank_mib,
                alone=medians(runs[alone][name]),
                loaded=medians(runs[loaded][name]),
            )
            for name, life in zip(sides, lives, strict=True)
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.journal", description="The path by the length of its journals."
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[0, 100_000, 1_000_000],
        help="transactions journalled (default 0 100000 1000000)",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds per run (default 3)")
    parser.add_argument("--concurrency", type=int, default=64, help="in flight under load (default 64)")
    parser.add_argument("--page", action="store_true", help="remake docs/performance.md and its chart")
    arguments = parser.parse_args()
    try:
        measured = report.read()
        with temporary_directory() as name, ExitStack() as standing:
            lives = [live(Path(name) / f"with-{size}", size, standing) for size in sorted(arguments.sizes)]
            measured.journal = measure(lives, arguments)
        print(journal_text(measured.journal))
        report.write(measured)
        if arguments.page:
            remake(measured)
    except BenchError as error:
        say(f"bench: {error}")
        return 1
    print(f"written: {report.REPORT}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
