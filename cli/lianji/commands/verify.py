"""`lianji verify`: the books, checked end to end."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.table import Table

import world
from lianji import checks, options
from lianji.errors import CliError
from lianji.reading import broker_of
from lianji.verify import Finding, check, gather
from lianji.verify.stack import Places, of_stack
from runtime.bus import Bus
from runtime.collecting import seldom_collected

LONGEST_PATIENCE_S = 86_400


Database = Annotated[
    str,
    typer.Option(help="Its database's SQLAlchemy URL, where it is not in the data directory (Compose, PostgreSQL)."),
]


class Checked(NamedTuple):
    """What became of the checks."""

    findings: dict[str, Finding]
    waiting: list[str]
    """Transactions that wait for their terminal."""
    empty: bool
    """Nothing has happened yet that could be checked."""

    @property
    def held(self) -> bool:
        return all(finding.held for finding in self.findings.values())


def register(app: typer.Typer) -> None:
    @app.command()
    def verify(
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        settlement: Database = "",
        receipts: Database = "",
        terminals: Annotated[
            Path | None, typer.Option(help="Directory of terminals' memories that are not in the data directory.")
        ] = None,
        acks: Annotated[
            Path | None, typer.Option(help="Acknowledged appends, a JSON object a line: log, sequence, digest.")
        ] = None,
        patience: Annotated[
            float,
            typer.Option(
                help="Seconds to wait for open transactions to end.", callback=checks.between(0, LONGEST_PATIENCE_S)
            ),
        ] = 30.0,
        work_dir: Annotated[
            Path | None,
            typer.Option(help="Where the check keeps what it has read, about 1 KB a transaction; left out: TMPDIR."),
        ] = None,
        json: options.Json = False,
    ) -> None:
        """Check the invariants over journals, banks' ledgers, settlement, slips and terminals. Exits 0 when all hold, 1 when one is broken."""
        started = time.monotonic()
        # Of a stack that runs elsewhere, the default directory is another one's.
        elsewhere = nats and data_dir == options.DEFAULT_DATA_DIR
        places = Places(None if elsewhere else data_dir, settlement, receipts, terminals, acks)
        checked = options.run(_verify(places, nats, patience, work_dir or Path(tempfile.gettempdir())))
        if json:
            rows = {name: {"held": f.held, **msgspec.to_builtins(f)} for name, f in checked.findings.items()}
            answer = {"held": checked.held, "invariants": rows, "waiting_at_terminals": checked.waiting}
            print(msgspec.json.encode(answer).decode())
        else:
            show(checked, time.monotonic() - started)
        raise typer.Exit(0 if checked.held else 1)


async def _verify(places: Places, nats: str, patience_s: float, work_dir: Path) -> Checked:
    async with AsyncExitStack() as opened:
        opened.enter_context(seldom_collected())
        if nats or places.data_dir is None:
            broker = options.broker_at(nats)
        else:
            broker = await opened.enter_async_context(broker_of(places.data_dir))
        bus = await opened.enter_async_context(options.connected(broker, "verify"))
        return await _check(bus, places, patience_s, work_dir)


async def _check(bus: Bus, places: Places, patience_s: float, work_dir: Path) -> Checked:
    if not os.access(work_dir, os.W_OK | os.X_OK):
        raise CliError(f"work-dir: {work_dir} is no directory that can be written")
    async with of_stack(bus, world.built_in(), places) as sources:
        with Console(stderr=True, highlight=False).status("reading") as status:
            try:
                gathered = await gather(sources, patience_s=patience_s, work_dir=work_dir, progress=status.update)
                with closing(gathered) as evidence:
                    status.update("comparing")
                    # In a thread: the connection has its pings to answer meanwhile.
                    findings = await asyncio.to_thread(check, evidence)
                    return Checked(findings, evidence.waiting(), evidence.empty)
            except sqlite3.Error as error:
                raise CliError(f"work-dir: {work_dir}: {error}; is there room for about 1 KB a transaction?") from None


def show(checked: Checked, took_s: float) -> None:
    """The findings as a table, and below it every case that is broken."""
    findings, waiting = checked.findings, checked.waiting
    console = Console(highlight=False)
    table = Table("", "", "checked", "invariant")
    for name, finding in findings.items():
        state = "[green]held[/]" if finding.held else f"[red]BROKEN × {finding.broken}[/]"
        table.add_row(name, state, f"{finding.checked:,}", finding.name)
    console.print(table)
    for name, finding in findings.items():
        for reason in finding.unchecked:
            console.print(f"{name} not checked: {reason}")
        for row in finding.violations:
            facts = ", ".join(f"{key}: {value}" for key, value in row.evidence.items())
            console.print(f"{name} {row.subject}: {row.what} ({facts})")
    if waiting:
        console.print(
            f"{len(waiting)} transactions wait for their terminal to send the reversal it keeps (not judged): {', '.join(waiting[:5])}"
        )
    verdict = "NOT held" if not checked.held else "nothing to check yet" if checked.empty else "all held"
    console.print(f"{verdict}, {took_s:.1f} s")
