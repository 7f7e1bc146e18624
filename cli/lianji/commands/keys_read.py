"""`lianji keys read`: every sealed card number in the journals opened and checked; which versions of the data key are still needed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

import world
from key_store import RETIRED, KeyRing
from lianji import options
from lianji.cards.journals import journals_of
from lianji.cards.opened import data_key
from lianji.cards.sealed import SealedReport, VersionUse, read_sealed

FAULTS_SHOWN = 20


def read(
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    nats: options.Nats = "",
    keys: options.KeysDir = None,
    json: options.Json = False,
) -> None:
    """Open every sealed card number with the version that its record names, check it, and count by version. Exits 1 when one is not right."""
    started = time.monotonic()
    report, ring = options.run(_read(data_dir, nats, keys))
    if json:
        print(msgspec.json.encode(as_json(report, ring)).decode())
    else:
        show(report, ring, time.monotonic() - started)
    raise typer.Exit(1 if report.faults else 0)


async def _read(data_dir: Path, nats: str, keys: Path | None) -> tuple[SealedReport, KeyRing]:
    async with data_key(data_dir, nats, keys, "keys") as (bus, module, ring):
        stores = journals_of(bus, world.built_in())
        return await read_sealed(stores, module, ring, lambda text: print(text, file=sys.stderr, flush=True)), ring


def _rows(report: SealedReport, ring: KeyRing) -> dict[int, tuple[str, VersionUse]]:
    """Version → its state and use: those of the ring, and those that records name although the ring has them not."""
    states: dict[int, str] = dict.fromkeys(report.versions, "unknown") | {v.number: v.state for v in ring.versions}
    return {number: (states[number], report.versions.get(number, VersionUse())) for number in sorted(states)}


def as_json(report: SealedReport, ring: KeyRing) -> dict[str, object]:
    return {
        "versions": [
            {"number": number, "state": state, "records": use.records, "opened": use.opened}
            for number, (state, use) in _rows(report, ring).items()
        ],
        "unsealed": report.unsealed,
        "faults": report.faults,
        "first_faults": report.first_faults,
        "can_be_retired": report.spare(ring),
    }


def show(report: SealedReport, ring: KeyRing, took_s: float) -> None:
    """Version by version, and below it what is wrong and what is not needed any more."""
    console, spare = Console(highlight=False), report.spare(ring)
    table = Table("version", "state", Column("sealed", justify="right"), Column("opened", justify="right"), "")
    for number, (state, use) in _rows(report, ring).items():
        remark = "can be retired" if number in spare else "needed" if use.records else ""
        table.add_row(
            str(number), state, f"{use.records:,}", f"{use.opened:,}", remark, style="dim" if state == RETIRED else ""
        )
    console.print(table)
    for fault in report.first_faults[:FAULTS_SHOWN]:
        console.print(f"RRN {fault.rrn}, version {fault.version}: {fault.reason}")
    if report.faults > FAULTS_SHOWN:
        console.print(f"… and {report.faults - FAULTS_SHOWN:,} more")
    if report.unsealed:
        console.print(f"{report.unsealed:,} records are older than sealing: no number is kept there")
    console.print(f"{report.opened:,} of {report.records:,} sealed card numbers opened and right, {took_s:.1f} s")
