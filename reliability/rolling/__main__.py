"""`python -m reliability.rolling`: every process of a stack is replaced under load, and then all of them in turn; `lianji verify` looks at the books.

Exits 1 when a sale failed or an invariant is broken. Prints the table, writes build/rolling.json; with --page it remakes its section of
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lianji.rolling import ALL, ORDER
from reliability.judged import judged
from reliability.rolling.run import Row, restarted, text


def _rows(data_dir: Path, arguments: argparse.Namespace) -> list[Row]:
    rows = []
    for name in arguments.only or (*ORDER, ALL):
        sys.stderr.write(f"selling, and {name} is restarted\n")
        rows.append(restarted(data_dir, name, times=1 if name == ALL else arguments.times, rate=arguments.rate))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.rolling", description="Restarts under load.")
    parser.add_argument("--rate", type=float, default=200.0, help="sales a second (default 200)")
    parser.add_argument("--times", type=int, default=3, help="restarts of each process (default 3); all in turn once")
    parser.add_argument("--only", nargs="*", choices=(*ORDER, ALL), help="these alone")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.rate <= 0 or arguments.times < 1:
        parser.error("--rate and --times: must be more than 0")
    found = judged(
        "rolling",
        lambda _, data_dir: _rows(data_dir, arguments),
        lambda rows, cpus: text(rows, rate=arguments.rate, cpus=cpus),
        page=arguments.page,
    )
    if found is None:
        return 1
    rows, held = found
    for row in rows:
        if row.failed:
            sys.stderr.write(f"rolling: {row.name}: {row.failed} sales failed: {row.how}\n")
    return 1 if not held or any(row.failed for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
