"""`python -m simulation run | replay SEED | bugs`: days on virtual time. Exits 1 when one fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console

from simulation import report
from simulation.bugs.table import BUGS
from simulation.campaign import Campaign, all_cores, hunt, ready, run
from simulation.day import play
from simulation.plan import Plan, draw
from simulation.shrink import shrink

BUILD = Path("build")
LAST_SEED = 2**53


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    many = commands.add_parser("run", help="many days, on all cores; writes build/sim.json")
    many.add_argument("--seeds", type=int, default=200, help="how many (default 200)")
    many.add_argument("--first", type=int, default=1, help="the first of them (default 1)")
    many.add_argument("--cores", type=int, default=0, help="how many to use (default: all)")
    one = commands.add_parser("replay", help="one day, event by event")
    one.add_argument("seed", type=int)
    one.add_argument(
        "--plan", type=Path, help="a plan to be played instead of the seed's own, as a failing run writes it"
    )
    one.add_argument("--all", action="store_true", help="also what comes every half second")
    bugs = commands.add_parser(
        "bugs", help="days with a bug switched on, each until it is caught; writes build/sim-bugs.json"
    )
    bugs.add_argument("--seeds", type=int, default=400, help="how many days at most (default 400)")
    bugs.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BUGS)}; left out: all")
    arguments = parser.parse_args()
    if arguments.command == "bugs" and (unknown := set(arguments.names) - set(BUGS)):
        parser.error(f"NAME: there is no bug {', '.join(sorted(unknown))}")
    if arguments.command != "replay" and arguments.seeds < 1:
        parser.error("--seeds: must be 1 or more")
    if arguments.command == "run" and not 0 <= arguments.cores <= all_cores():
        parser.error(f"--cores: must be 1 to {all_cores()}")
    seed = {"replay": "seed", "run": "first"}.get(arguments.command)
    if seed is not None and not 0 <= getattr(arguments, seed) <= LAST_SEED:
        parser.error(f"seed: must be 0 to {LAST_SEED}")
    return arguments


def _plan(seed: int, file: Path | None) -> Plan:
    """Of the file, or drawn; SystemExit names a file that holds none."""
    if file is None:
        return draw(seed)
    try:
        plan = msgspec.json.decode(file.read_bytes(), type=Plan)
    except (OSError, msgspec.MsgspecError) as error:
        raise SystemExit(f"--plan {file}: cannot be read as a plan: {error}") from None
    if plan.seed != seed:
        raise SystemExit(f"--plan {file}: it is of seed {plan.seed}, not {seed}")
    return plan


def _news(lines: Iterable[str]) -> Iterator[str]:
    """Without what comes every half second: leases that are renewed, and what a process has just said."""
    said: dict[str, str] = {}
    for line in lines:
        who, what = line[12:29], line[29:]
        if said.get(who) != what and " KV_LEASES " not in line:
            yield line
        said[who] = what


def _replay(seed: int, file: Path | None, everything: bool) -> int:
    result = play(_plan(seed, file), record=True)
    for line in result.lines if everything else _news(result.lines):
        print(line)
    for breach in result.breaches:
        print(f"BROKEN {breach.invariant} {breach.text}")
    print(f"{result.transactions} transactions, {'all held' if result.held else 'NOT held'}")
    return 0 if result.held else 1


def _run(first: int, seeds: int, cores: int) -> int:
    console = Console(highlight=False, width=max(Console().width, 120))

    def progress(campaign: Campaign) -> None:
        if campaign.seeds % 20 == 0:
            rate, failing = f"{campaign.seeds_per_s:.1f} seeds/s", len(campaign.failing)
            sys.stderr.write(f"\r{campaign.seeds}/{seeds} seeds, {rate}, {failing} failing ")

    campaign = run(first, seeds, progress, cores=cores)
    sys.stderr.write("\n")
    report.show(campaign, console)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "sim.json").write_bytes(msgspec.json.encode(campaign))
    if campaign.failing:
        ready()
    for result in campaign.failing:
        shortest = shrink(result, play)
        report.show_failure(result, shortest, console)
        file = BUILD / f"sim-{result.plan.seed}.json"
        file.write_bytes(msgspec.json.encode(shortest.plan))
        console.print(f"see it: lianji replay {result.plan.seed} --plan {file}")
    return 1 if campaign.failing else 0


def _bugs(names: list[str], seeds: int) -> int:
    console = Console(highlight=False, width=max(Console().width, 150))
    caught = []
    for name in names or BUGS:
        caught.append(hunt(name, seeds))
        sys.stderr.write(f"{name}: {', '.join(caught[-1].invariants) or 'not caught'} ({caught[-1].seeds} seeds)\n")
    report.show_bugs(caught, console)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "sim-bugs.json").write_bytes(msgspec.json.encode(caught))
    return 0 if all(row.invariants or row.made_good for row in caught) else 1


def main() -> int:
    arguments = _arguments()
    if arguments.command == "replay":
        return _replay(arguments.seed, arguments.plan, arguments.all)
    if arguments.command == "bugs":
        return _bugs(arguments.names, arguments.seeds)
    return _run(arguments.first, arguments.seeds, arguments.cores)


if __name__ == "__main__":
    raise SystemExit(main())
