"""`lianji traces`: the newest traces that the stack's collector keeps, or all of them counted."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from lianji import checks, options
from lianji.errors import CliError
from lianji.tracing import check as checking
from lianji.tracing.files import TraceFiles
from lianji.tracing.listing import Listed, Wanted, newest
from lianji.zone import SHANGHAI

_AGE = re.compile(r"(\d{1,6})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST, SLOWEST_MS = 10_000, 3_600_000


def age_s(value: str) -> str:
    """An age like 90s, 10m, 2h or 1d; the check of an option."""
    if value and not _AGE.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no age; write it like 90s, 10m, 2h or 1d")
    return value


def register(app: typer.Typer) -> None:
    @app.command()
    def traces(
        slow: Annotated[
            float,
            typer.Option(help="Only those that took this many milliseconds.", callback=checks.between(0, SLOWEST_MS)),
        ] = 0.0,
        errors: Annotated[
            bool, typer.Option("--errors", help="Only those answered with anything but yes, or not at all.")
        ] = False,
        since: Annotated[str, typer.Option(help="Only those of the last 90s, 10m, 2h, 1d.", callback=age_s)] = "",
        limit: Annotated[int, typer.Option(help="How many.", callback=checks.whole_between(1, MOST))] = 20,
        check: Annotated[
            bool,
            typer.Option(
                "--check", help="Count all: hops that are missing, spans without a parent. Exits 1 when there are any."
            ),
        ] = False,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        json: options.Json = False,
    ) -> None:
        """List the newest traces, newest first; needs no stack that runs."""
        files = TraceFiles(data_dir)
        if not files.directory.is_dir():
            raise CliError(f"data-dir: no collector has kept traces in {files.directory}")
        since_ns = _since_ns(since)
        if check:
            _check(files, since_ns, json)
            return
        found = newest(files, Wanted(slow, errors, since_ns, limit))
        if json:
            print(msgspec.json.encode(found).decode())
        elif found:
            Console(highlight=False).print(_table(found))
        else:
            print("none")


def _since_ns(age: str) -> int:
    if not age:
        return 0
    return time.time_ns() - int(age[:-1]) * _SECONDS[age[-1]] * 1_000_000_000


def _table(found: list[Listed]) -> Table:
    table = Table(
        "time", "RRN or name", "terminal", "kind", "code", "bank", "ms", "spans", "missing", box=None, padding=(0, 1)
    )
    for row in found:
        at = datetime.fromtimestamp(row.start_ns / 1e9, SHANGHAI).strftime("%H:%M:%S.%f")[:-3]
        missing = ", ".join([*row.missing, *([f"{row.orphans} parents"] if row.orphans else [])])
        table.add_row(
            at,
            row.rrn or row.name,
            row.terminal,
            row.kind,
            row.code if row.code or not row.error else "✗",
            row.institution,
            f"{row.duration_us / 1000:.1f}",
            f"{row.spans} in {len(row.services)}",
            missing,
        )
    return table


def _check(files: TraceFiles, since_ns: int, json: bool) -> None:
    found = checking.count(files, since_ns)
    print(msgspec.json.encode(found).decode() if json else _counted(found))
    if not found.clean:
        raise typer.Exit(1)


def _counted(found: checking.Count) -> str:
    missing = ", ".join(f"{hop} × {number}" for hop, number in found.missing.items()) or "none"
    lines = [
        f"{found.traces:,} traces, {found.spans:,} spans",
        f"{found.swipes:,} of swipes, {found.whole:,} with every hop; missing hops: {missing}",
        f"orphans {found.orphans:,}, traces without a beginning {found.headless:,}, spans twice {found.duplicates:,}, "
        f"unreadable lines {found.unreadable:,}",
    ]
    for row in found.examples:
        lacks = ", ".join(row.missing) or "no hop"
        lines.append(f"  trace {row.trace_id} rrn {row.rrn or '-'}: lacks {lacks}; orphans {row.orphans}")
    return "\n".join(lines)
