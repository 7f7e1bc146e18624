"""`python -m reliability.overload`: half, all and twice of what a stack can hold, then half again. `lianji verify` looks at the books.

The stack has one half of this machine's cores and the terminals the other: on shared ones they would take from it what they are to ask of it.

Exits 1 when a sale was neither approved nor shed, when half of the capacity is not normal afterwards, or when an invariant is broken. Prints
the table, writes build/overload.json; with --page it remakes its section of docs/reliability.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.cores import halves, mine, only_on
from bench.stack import Stack
from reliability.judged import judged
from reliability.overload.run import Plan, Result, run, text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.overload", description="More than it can hold.")
    parser.add_argument("--duration", type=float, default=15.0, help="seconds of each phase (default 15)")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 1.0, 2.0], help="of the capacity")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.duration < 2 or min(arguments.shares) <= 0:
        parser.error("--duration: at least 2; --shares: more than 0")
    of_the_stack, of_the_terminals = halves(mine())

    def measure(stack: Stack, data_dir: Path) -> Result:
        with only_on(of_the_terminals):
            return run(stack, data_dir, Plan(arguments.duration, tuple(arguments.shares)))

    found = judged(
        "overload",
        measure,
        lambda result, _: text(result, stack=len(of_the_stack), terminals=len(of_the_terminals)),
        page=arguments.page,
        cores=of_the_stack,
    )
    if found is None:
        return 1
    result, held = found
    well = all(not phase.failed for phase in result.phases) and result.phases[-1].normal_after_s > 0
    return 0 if well and held else 1


if __name__ == "__main__":
    raise SystemExit(main())
