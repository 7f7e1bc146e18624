"""`python -m reliability.overload`: half, all and twice of what a stack can hold, then half again. `lianji verify` looks at the books.

Exits 1 when a sale was neither approved nor shed, when half of the capacity is not normal afterwards, or when an invariant is broken. Prints
the table, writes build/overload.json; with --page it remakes its section of docs/reliability.md.
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
from reliability.overload.run import Plan, run, text
from reliability.page import section

REPORT = Path("build/overload.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m reliability.overload", description="More than it can hold.")
    parser.add_argument("--duration", type=float, default=15.0, help="seconds of each phase (default 15)")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 1.0, 2.0], help="of the capacity")
    parser.add_argument("--page", action="store_true", help="remake the section of docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.duration < 2 or min(arguments.shares) <= 0:
        parser.error("--duration: at least 2; --shares: more than 0")
    try:
        with temporary_directory() as name, Stack(Path(name) / "data") as stack:
            result = run(stack, Path(name) / "data", Plan(arguments.duration, tuple(arguments.shares)))
            said = text(result, cpus=os.cpu_count() or 1)
            print(said, flush=True)
            verdict = subprocess.run(lianji("verify", "--data-dir", str(Path(name) / "data")), check=False).returncode
    except BenchError as error:
        sys.stderr.write(f"overload: {error}\n")
        return 1
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    if arguments.page:
        section("overload", said)
    well = all(not phase.failed for phase in result.phases) and result.phases[-1].normal_after_s > 0
    return 0 if well and not verdict else 1


if __name__ == "__main__":
    raise SystemExit(main())
