"""`lianji verify`: the books, checked end to end."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

import world
from lianji import options, stackfile
from lianji.broker import BrokerError, LocalBroker
from lianji.errors import CliError
from lianji.verify.gather import gather
from lianji.verify.invariants import INVARIANTS
from lianji.verify.report import Finding
from runtime.bus import Bus
from runtime.log import LogError


def register(app: typer.Typer) -> None:
    @app.command()
    def verify(
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        patience: Annotated[float, typer.Option(help="Seconds to wait for open transactions to end.")] = 30.0,
        json: options.Json = False,
    ) -> None:
        """Check the invariants over journals, banks' ledgers, settlement and terminals. Exits 0 when all hold, 1 when one is broken."""
        started = time.monotonic()
        findings, waiting = options.run(_verify(data_dir, patience))
        held = all(finding.held for finding in findings.values())
        if json:
            rows = {name: {"held": f.held, **msgspec.to_builtins(f)} for name, f in findings.items()}
            print(msgspec.json.encode({"held": held, "invariants": rows, "waiting_at_terminals": waiting}).decode())
        else:
            _show(findings, waiting, time.monotonic() - started)
        raise typer.Exit(0 if held else 1)


async def _verify(data_dir: Path, patience_s: float) -> tuple[dict[str, Finding], list[str]]:
    async with _broker(data_dir) as url, options.connected(url, "verify") as bus:
        return await _check(bus, data_dir, patience_s)


async def _check(bus: Bus, data_dir: Path, patience_s: float) -> tuple[dict[str, Finding], list[str]]:
    console = Console(stderr=True, highlight=False)

    def progress(text: str) -> None:
        if console.is_terminal:
            console.print(text, style="dim")

    try:
        evidence = await gather(bus, world.built_in(), data_dir, patience_s=patience_s, progress=progress)
    except LogError as error:
        raise CliError(f"a log cannot be read: {error}") from None
    return {name: check(evidence) for name, check in INVARIANTS.items()}, evidence.waiting()


@asynccontextmanager
async def _broker(data_dir: Path) -> AsyncIterator[str]:
    """The running stack's broker; for a data directory without a stack, one of its own for as long as it takes."""
    stack = stackfile.find(data_dir)
    if stack is not None:
        yield stack.nats_url
        return
    if not (data_dir / "broker").is_dir():
        raise CliError(f"{data_dir} is no stack's data directory: start one with `lianji up --data-dir {data_dir}`")
    with _alone(data_dir):
        sys.stderr.write("no stack runs here: starting the broker alone, to read\n")
        broker = LocalBroker((data_dir / "broker").resolve())
        try:
            await asyncio.to_thread(broker.start)
            yield broker.url
        except BrokerError as error:
            raise CliError(str(error)) from None
        finally:
            await asyncio.to_thread(broker.stop)


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Holds the lock of `lianji up`: two brokers over one directory would ruin it. Raises CliError when a stack has it."""
    path = data_dir / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CliError(f"the stack on {data_dir} is starting or stopping: verify again in a moment") from None
        yield


def _show(findings: dict[str, Finding], waiting: list[str], took_s: float) -> None:
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
    console.print(f"{'all held' if all(f.held for f in findings.values()) else 'NOT held'}, {took_s:.1f} s")
