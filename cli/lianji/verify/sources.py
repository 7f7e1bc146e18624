"""Where the evidence comes from. What is checked does not know: a stack's broker and files, or logs and databases in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from contracts import subjects
from lianji.errors import CliError
from lianji.scan.everywhere import search
from lianji.scan.report import Report
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogStore
from runtime.sql import open_engine
from terminal_sim.memory import MemoryFileError, read_memory
from terminal_sim.record import TerminalRecord
from world import World

Progress = Callable[[str], None]
"""Told in one line what is being done."""

Search = Callable[[Progress], Awaitable[Report]]
"""Looks for card data everywhere."""


def _nobody() -> Iterable[TerminalRecord]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """One world, and where each side of it writes down what it has done. Read only; whoever made the engines closes them."""

    world: World
    journals: Mapping[str, LogStore]
    """Shard → its journal."""
    ledgers: Mapping[str, LogStore]
    """Institution → its ledger."""
    settlement: Engine
    """The tables of services/settlement/README.md."""
    terminals: Callable[[], Iterable[TerminalRecord]] = _nobody
    """What each terminal remembers, read anew at every call; raises CliError."""
    search: Search | None = None
    """None: nobody looks for card data, and I12 says so."""


def of_stack(bus: Bus, world: World, data_dir: Path) -> Sources:
    """The sources of a stack whose broker is on `bus`; raises CliError."""
    return Sources(
        world=world,
        journals={
            str(shard): JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard))
            for shard in range(world.shards)
        },
        ledgers={
            bank.id: JetStreamLog(bus, subjects.ledger_stream(bank.id), subjects.ledger(bank.id))
            for bank in world.institutions
        },
        settlement=_database(data_dir / "settlement.db"),
        terminals=lambda: memories(data_dir / "terminals"),
        search=lambda progress: search(bus, world, data_dir, progress),
    )


def memories(directory: Path) -> Iterator[TerminalRecord]:
    """Every terminal that has a memory in `directory`, one after the other; raises CliError when one cannot be read."""
    for path in sorted(directory.glob("*.jsonl")):
        try:
            yield read_memory(path)
        except MemoryFileError as error:
            raise CliError(str(error)) from None


def _database(path: Path) -> Engine:
    if not path.exists():
        raise CliError(f"{path} is not there: --data-dir must be a stack's data directory")
    return open_engine(f"sqlite:///{path}", read_only=True)
