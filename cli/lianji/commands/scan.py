"""`lianji scan`: no card data where none belongs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table

import world
from lianji import options
from lianji.reading import broker_of
from lianji.scan.everywhere import search
from lianji.scan.report import Report

SHOWN = 100
"""Finds that the table lists; `--json` lists what the report keeps."""


def register(app: typer.Typer) -> None:
    @app.command()
    def scan(data_dir: options.DataDir = options.DEFAULT_DATA_DIR, json: options.Json = False) -> None:
        """Search streams, SQL, logs, traces and all files for card numbers, tracks, PIN blocks and PINs. Exits 0 when there are none."""
        started = time.monotonic()
        report = options.run(_scan(data_dir))
        if json:
            answer = {"found": report.found, "searched": report.searched, "finds": report.finds}
            print(msgspec.json.encode(answer).decode())
        else:
            show(report, time.monotonic() - started)
        raise typer.Exit(1 if report.found else 0)


async def _scan(data_dir: Path) -> Report:
    async with broker_of(data_dir) as broker, options.connected(broker, "scan") as bus:
        return await search(bus, world.built_in(), data_dir, lambda text: print(text, file=sys.stderr, flush=True))


def show(report: Report, took_s: float) -> None:
    """Where was searched and how much, and below it every find."""
    console = Console(highlight=False)
    table = Table("place", "searched", "MB")
    table.columns[2].justify = "right"
    for place, counts in report.searched.items():
        what = ", ".join(f"{number:,} {unit}" for unit, number in counts.items() if unit != "bytes")
        table.add_row(place, what, f"{counts.get('bytes', 0) / 1e6:,.1f}")
    console.print(table)
    for find in report.finds[:SHOWN]:
        console.print(f"{find.kind} ({find.form}) {find.value}: {find.place}", markup=False, soft_wrap=True)
    if report.found > SHOWN:
        console.print(f"… and {report.found - SHOWN:,} more")
    console.print(f"{report.found:,} found, {took_s:.1f} s")
