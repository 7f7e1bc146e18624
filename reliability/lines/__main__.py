"""`python -m reliability.lines`: sales over the lines of the field with some loss more, in real time. `lianji verify` looks at the books.

Exits 1 when a sale was charged twice, or not although its terminal holds an approval, or the other way round; when a terminal does not get
on; or when an invariant is broken. Prints the table, writes build/lines.json; with --page it remakes its section of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys

from lianji import options
from reliability.judged import judged
from reliability.lines.run import Plan, run, text
from terminal_sim.profiles import LineKind


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.lines", description="Sales over bad lines.")
    parser.add_argument("--swipes", type=int, default=1000, help="over lines of each kind (default 1000)")
    parser.add_argument("--loss", type=float, default=5.0, help="per cent of segments beyond a line's own (default 5)")
    parser.add_argument(
        "--links", nargs="+", type=LineKind, choices=list(LineKind), default=[LineKind.GPRS, LineKind.DIAL],
        help="kinds of lines (default gprs dial)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of the lines' chance (default 1)")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.swipes < 1 or not 0 <= arguments.loss <= 50:
        parser.error("--swipes: at least 1; --loss: between 0 and 50")
    plan = Plan(tuple(dict.fromkeys(arguments.links)), arguments.swipes, arguments.loss / 100, arguments.seed)
    found = judged(
        "lines",
        lambda stack, data_dir: options.run(run(stack.port, data_dir, plan)),
        lambda result, _: text(result),
        page=arguments.page,
    )
    if found is None:
        return 1
    result, held = found
    for row in result.rows:
        for difference in row.how:
            sys.stderr.write(f"lines: {row.link}: {difference}\n")
    return 1 if not held or any(row.how for row in result.rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
