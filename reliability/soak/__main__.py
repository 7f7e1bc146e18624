"""`python -m reliability.soak`: half of what a stack can hold, for a long time. `lianji verify` looks at the books.

Exits 1 when a sale failed, when more than one in a hundred took above a second, when a process has grown by more than 5 %, or when an invariant
is broken. Prints the table, writes build/soak.json; with --page it remakes its section of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys

from reliability.judged import judged
from reliability.soak.run import run, text

MOST_SLOW_PERCENT, MOST_GROWTH_PERCENT = 1.0, 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.soak", description="Half of the capacity, for long.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--rate", type=float, default=0.0, help="sales a second (default: half of the capacity)")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.minutes < 0.5 or arguments.rate < 0:
        parser.error("--minutes: at least 0.5; --rate: not below 0")
    found = judged(
        "soak",
        lambda stack, data_dir: run(stack, data_dir, minutes=arguments.minutes, rate=arguments.rate),
        lambda result, cpus: text(result, cpus=cpus),
        page=arguments.page,
    )
    if found is None:
        return 1
    result, held = found
    grown = [name for name, one in result.memory.items() if one.percent > MOST_GROWTH_PERCENT]
    for name in grown:
        sys.stderr.write(f"soak: {name} has grown by {result.memory[name].percent:.1f} %\n")
    return 1 if grown or result.failed or result.slow_percent > MOST_SLOW_PERCENT or not held else 0


if __name__ == "__main__":
    raise SystemExit(main())
