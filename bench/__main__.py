"""`python -m bench`: the path beside the bare chain and a FastStream port of it, traced and untraced, in turns, in one run.

Every side stands all the while; those that are not measured idle. CPU counts every process of a side: broker, services, and the
client (the simulated terminals build frames, PIN blocks and MACs; a chain's client sends bytes). Prints the tables and writes
build/bench.json; with --page it remakes docs/performance.md and its chart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import report
from bench.chain import Chain
from bench.errors import BenchError
from bench.load import Load
from bench.page import path_text
from bench.remake import remake
from bench.report import CHAIN, PATH, PATH_UNTRACED, PORTED, PORTED_UNTRACED, PathReport, side_report, this_run
from bench.rounds import in_turns
from bench.stack import OWNERS, UNTRACED, Stack, temporary_directory

WARM_UP_S = 1.0
PORT = "bench.ported"


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def loads_of(arguments: argparse.Namespace) -> list[Load]:
    closed = [Load(arguments.duration, concurrency=count) for count in (1, arguments.concurrency)]
    return closed + [Load(arguments.duration, rate=rate) for rate in arguments.rates]


def switch_bytes(stack: Stack) -> float:
    """What the owners of the journals have in memory."""
    memory = stack.memory()
    return sum(memory[owner] for owner in OWNERS) * 2**20


def measure(path: Stack, others: Mapping[str, Stack | Chain], arguments: argparse.Namespace) -> PathReport:
    sides: dict[str, Stack | Chain] = {PATH: path, **others}
    for side in sides.values():
        side.measure(Load(WARM_UP_S, concurrency=arguments.concurrency))
    sold, in_memory = path.sold, switch_bytes(path)
    runs = in_turns(sides, loads_of(arguments), rounds=arguments.rounds, tell=say)
    count = path.sold - sold
    return PathReport(
        run=this_run(rounds=arguments.rounds, duration_s=arguments.duration, concurrency=arguments.concurrency),
        sides={name: side_report(name, runs, side.memory()) for name, side in sides.items()},
        owner_bytes=(switch_bytes(path) - in_memory) / count,
        owner_transactions=count,
    )


def stand_and_measure(directory: Path, arguments: argparse.Namespace) -> PathReport:
    say("starting two stacks and three chains")
    with ExitStack() as standing:
        path = standing.enter_context(Stack(directory / "stack"))
        others: dict[str, Stack | Chain] = {
            PATH_UNTRACED: Stack(directory / "untraced", environment=UNTRACED),
            CHAIN: Chain(directory / "chain"),
            PORTED: Chain(directory / "ported", PORT, [str(directory / "spans")]),
            PORTED_UNTRACED: Chain(directory / "ported-untraced", PORT),
        }
        for side in others.values():
            standing.enter_context(side)
        return measure(path, others, arguments)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="The path beside a bare chain and a FastStream port of it."
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duration", type=float, default=2.5, help="seconds per run (default 2.5)")
    parser.add_argument("--concurrency", type=int, default=64, help="in flight under load (default 64)")
    parser.add_argument(
        "--rates",
        type=float,
        nargs="*",
        default=[250.0, 500.0, 1000.0],
        help="open loop, sends a second (default 250 500 1000)",
    )
    parser.add_argument("--page", action="store_true", help="remake docs/performance.md and its chart")
    arguments = parser.parse_args()
    try:
        with temporary_directory() as name:
            measured = report.read()
            measured.path = stand_and_measure(Path(name), arguments)
        print(path_text(measured.path))
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
