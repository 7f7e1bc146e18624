"""`python -m reliability.rolling`: every process of a stack is replaced under load, and then all of them in turn; `lianji verify` looks at the books.

Exits 1 when a sale failed or an invariant is broken. Prints the table, writes build/rolling.json; with --page it remakes its section of
docs/reliability.md.
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
from lianji.rolling import ALL, ORDER
from reliability.page import section
from reliability.rolling.run import Row, restarted, text

REPORT = Path("build/rolling.json")


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
    try:
        with temporary_directory() as name, Stack(Path(name) / "data"):
            rows = _rows(Path(name) / "data", arguments)
            said = text(rows, rate=arguments.rate, cpus=os.cpu_count() or 1)
            print(said, flush=True)
            verdict = subprocess.run(lianji("verify", "--data-dir", str(Path(name) / "data")), check=False).returncode
    except BenchError as error:
        sys.stderr.write(f"rolling: {error}\n")
        return 1
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    if arguments.page:
        section("rolling", said)
    for row in rows:
        if row.failed:
            sys.stderr.write(f"rolling: {row.name}: {row.failed} sales failed: {row.how}\n")
    return 1 if verdict or any(row.failed for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
