"""`python -m reliability.chaos`: faults at random moments in a stack under load, each healed and timed, and the books judged.

Exits 1 when something was lost or doubled, an invariant was broken, or something did not come back in time. Writes build/chaos.json.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from bench.errors import BenchError
from bench.stack import Stack
from lianji.errors import CliError
from reliability.chaos import report as told
from reliability.chaos.deck import chosen
from reliability.chaos.report import Report
from reliability.chaos.run import RATE, Plan, chaos
from reliability.chaos.table import FAULTS, ISSUER_TIMEOUT_S
from reliability.page import section

BUILD = Path("build")
REPORT = BUILD / "chaos.json"
LARGEST_SEED = 2**32


def show(report: Report) -> None:
    table = Table(*told.HEAD)
    for cells in told.cells(report.struck):
        table.add_row(*cells)
    console = Console(highlight=False, width=max(Console().width, 120))
    console.print(table)
    console.print(told.summary(report))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="of faults; what follows comes on top (default 3)")
    parser.add_argument(
        "--seed", type=int, help="the order of the faults and the sales; any when left out, and printed"
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="rows of the table, as in 'kill*' or '*auth-a*'")
    parser.add_argument("--faults", type=int, default=0, help="end after so many")
    parser.add_argument("--rate", type=float, default=RATE, help=f"sales a second (default {RATE:g})")
    parser.add_argument("--judge-every", type=float, default=3.0, metavar="MINUTES", help="judge the books (default 3)")
    parser.add_argument(
        "--report", type=Path, default=REPORT, help=f"where to write what came of it (default {REPORT})"
    )
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    parser.add_argument("--list", action="store_true", help="show the table of faults, and end")
    given = parser.parse_args()
    if given.minutes <= 0 or given.rate <= 0 or given.judge_every <= 0 or given.faults < 0:
        parser.error("--minutes, --rate and --judge-every: must be more than 0; --faults: not less than 0")
    return given


def main() -> int:
    given = arguments()
    if given.list:
        print("\n".join(FAULTS))
        return 0
    seed = random.SystemRandom().randrange(LARGEST_SEED) if given.seed is None else given.seed
    try:
        faults = chosen(given.only, given.minutes)
    except ValueError as error:
        sys.stderr.write(f"chaos: {error}\n")
        return 2
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=BUILD))
    plan = Plan(seed, given.minutes, faults, given.faults, given.rate, given.judge_every)
    sys.stderr.write(
        f"chaos: seed {seed}, {len(faults)} rows, {given.minutes:g} minutes; everything is under {folder}\n"
    )
    well = False
    try:
        report = _run(folder, plan)
        show(report)
        given.report.write_bytes(told.as_json(report))
        if given.page:
            section(told.NAME, told.page_text(report))
        well = report.well
    except (BenchError, CliError) as error:
        sys.stderr.write(f"chaos: {error}\n")
    except KeyboardInterrupt:
        well = True  # nothing to look at
        sys.stderr.write("chaos: interrupted\n")
        return 130
    finally:
        if well:
            shutil.rmtree(folder)
        else:
            sys.stderr.write(f"chaos: {folder} is kept: logs, journals, terminals, and what the broker acknowledged\n")
    return 0 if well else 1


def _run(folder: Path, plan: Plan) -> Report:
    data_dir = folder / "data"
    patience = {"LIANJI_ISSUER_TIMEOUT_S": f"{ISSUER_TIMEOUT_S:g}"}
    with Stack(data_dir, environment=patience, said=folder / "up.log") as stack:
        return uvloop.run(chaos(data_dir, plan, lambda text: print(text, flush=True), stack.stop))


if __name__ == "__main__":
    raise SystemExit(main())
