"""`lianji restore`: a world from its latest backup, the damaged store, the banks and the terminals."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

import world
from lianji import checks, options, stackfile
from lianji.errors import CliError
from lianji.reading import alone
from lianji.recovery import manifest
from lianji.recovery.restoring import Report, Restorer

SHOWN = 20
"""Transactions that the list shows; all of them are in restored.json."""


def register(app: typer.Typer) -> None:
    @app.command()
    def restore(
        backup: Annotated[Path, typer.Argument(help="A backup, or the folder of backups: then the newest in it.")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        keys: options.KeysDir = None,
        json: options.Json = False,
    ) -> None:
        """Bring a world back after a log was damaged, and list what became of each transaction that was lost. The stack must be stopped."""
        report = options.run(_restore(backup, data_dir, keys))
        if json:
            print(msgspec.json.encode(report).decode())
        else:
            show(report, data_dir)


async def _restore(given: Path, data_dir: Path, keys: Path | None) -> Report:
    if stackfile.find(data_dir) is not None:
        raise CliError(f"a stack runs on {data_dir}: stop it first with `lianji down --data-dir {data_dir}`")
    backup, the_world = manifest.newest(given), world.built_in()
    held = manifest.read(backup)
    if held.world != manifest.fingerprint(the_world, keys):
        raise CliError(
            f"backup: {backup} is of a world with other keys: name its key directory with --keys, "
            "or leave --keys out for one of the test world"
        )
    checks.make_data_dir(data_dir)
    with alone(data_dir):
        return await Restorer(
            backup,
            held,
            data_dir,
            the_world,
            keys=keys,
            progress=lambda text: print(text, file=sys.stderr, flush=True),
        ).run()


def show(report: Report, data_dir: Path) -> None:
    """Log by log, then each transaction on which something had to be decided."""
    console = Console(highlight=False, width=max(Console().width, 140))
    logs = Table(
        "log",
        Column("groups from the backup", justify="right"),
        Column("from the store", justify="right"),
        Column("lost", justify="right"),
        Column("records added", justify="right"),
    )
    for row in report.logs:
        logs.add_row(row.stream, *(f"{n:,}" for n in (row.from_backup, row.from_store, row.lost, row.added)))
    console.print(logs)
    if report.found:
        table = Table("transaction", "RRN", Column("amount, fen", justify="right"), "what becomes of it", "why")
        for one in report.found[:SHOWN]:
            table.add_row(one.subject, one.rrn, f"{one.amount_minor:,}", one.action.value, one.why)
        console.print(table)
    if len(report.found) > SHOWN:
        console.print(f"… and {len(report.found) - SHOWN:,} more")
    counts = Counter(one.action.value for one in report.found)
    summary = ", ".join(f"{number:,} {action}" for action, number in counts.items()) or "nothing was lost"
    console.print(f"{summary}. The whole list: {report.aside}/restored.json; what was there before lies beside it.")
    console.print(f"Next: lianji up --data-dir {data_dir} · lianji verify --data-dir {data_dir}", soft_wrap=True)
