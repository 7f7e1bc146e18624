"""`lianji verify`: the books, checked end to end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.table import Table

import world
from lianji import checks, options
from lianji.reading import broker_of
from lianji.verify import Finding, check, gather
from lianji.verify.sources import of_stack
from runtime.bus import Bus

LONGEST_PATIENCE_S = 86_400


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
        patience: Annotated[
            float,
            typer.Option(
                help="Seconds to wait for open transactions to end.", callback=checks.between(0, LONGEST_PATIENCE_S)
            ),
        ] = 30.0,
        json: options.Json = False,
    ) -> None:
        """Check the invariants over journals, banks' ledgers, settlement and terminals. Exits 0 when all hold, 1 when one is broken."""
        started = time.monotonic()
        checked = options.run(_verify(data_dir, patience))
        if json:
            rows = {name: {"held": f.held, **msgspec.to_builtins(f)} for name, f in checked.findings.items()}
            answer = {"held": checked.held, "invariants": rows, "waiting_at_terminals": checked.waiting}
            print(msgspec.json.encode(answer).decode())
        else:
            show(checked, time.monotonic() - started)
        raise typer.Exit(0 if checked.held else 1)


async def _verify(data_dir: Path, patience_s: float) -> Checked:
    async with broker_of(data_dir) as broker, options.connected(broker, "verify") as bus:
        return await _check(bus, data_dir, patience_s)


async def _check(bus: Bus, data_dir: Path, patience_s: float) -> Checked:
    console = Console(stderr=True, highlight=False)

    def progress(text: str) -> None:
        if console.is_terminal:
            console.print(text, style="dim")

    sources = of_stack(bus, world.built_in(), data_dir)
    evidence = await gather(sources, patience_s=patience_s, progress=progress)
    return Checked(check(evidence), evidence.waiting(), evidence.empty)


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
        for row in finding.violations:
            facts = ", ".join(f"{key}: {value}" for key, value in row.evidence.items())
            console.print(f"{name} {row.subject}: {row.what} ({facts})")
    if waiting:
        console.print(
            f"{len(waiting)} transactions wait for their terminal to send the reversal it keeps (not judged): {', '.join(waiting[:5])}"
        )
    verdict = "NOT held" if not checked.held else "nothing to check yet" if checked.empty else "all held"
    console.print(f"{verdict}, {took_s:.1f} s")
