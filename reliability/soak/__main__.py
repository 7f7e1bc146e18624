"""`python -m reliability.soak`: half of what a stack can hold, for a long time. `lianji verify` looks at the books.

Exits 1 when a sale failed, when more than one in a hundred took above a second, when a process has grown by more than 5 %, or when an invariant
is broken. Prints the table, writes build/soak.json; with --page it remakes its section of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.stack import Stack, lianji, temporary_directory
from reliability.page import section
from reliability.soak.run import run, text

REPORT = Path("build/soak.json")
MOST_SLOW_PERCENT, MOST_GROWTH_PERCENT = 1.0, 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.soak", description="Half of the capacity, for long.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--rate", type=float, default=0.0, help="sales a second (default: half of the capacity)")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.minutes < 0.5 or arguments.rate < 0:
        parser.error("--minutes: at least 0.5; --rate: not below 0")
    try:
        with temporary_directory() as name, Stack(Path(name) / "data") as stack:
            result = run(stack, Path(name) / "data", minutes=arguments.minutes, rate=arguments.rate)
            said = text(result, cpus=os.cpu_count() or 1)
            print(said, flush=True)
            verdict = subprocess.run(lianji("verify", "--data-dir", str(Path(name) / "data")), check=False).returncode
    except BenchError as error:
        sys.stderr.write(f"soak: {error}\n")
        return 1
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    if arguments.page:
        section("soak", said)
    grown = [name for name, one in result.memory.items() if one.percent > MOST_GROWTH_PERCENT]
    for name in grown:
        sys.stderr.write(f"soak: {name} has grown by {result.memory[name].percent:.1f} %\n")
    return 1 if grown or result.failed or result.slow_percent > MOST_SLOW_PERCENT or verdict else 0


if __name__ == "__main__":
    raise SystemExit(main())
