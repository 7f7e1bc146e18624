"""Where the evidence comes from. What is checked does not know: a stack's broker and files, or logs and databases in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from lianji.errors import CliError
from lianji.scan.report import Report
from lianji.verify.acknowledged import Acknowledgement, Mark
from lianji.verify.rebuilt import MakeRebuilder
from runtime.log import LogStore
from terminal_sim.memory import MemoryFileError, read_memory
from terminal_sim.record import TerminalRecord
from world import World

Progress = Callable[[str], None]
"""Told in one line what is being done."""

Search = Callable[[Progress], Awaitable[Report]]
"""Looks for card data everywhere."""


async def _no_marks() -> Iterable[Mark]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Sources:
    """One world, and where each side of it writes down what it has done. Read only; whoever made the engines closes them.

    What is left out is not looked at, and the findings say so (`unchecked`).
    """

    world: World
    journals: Mapping[str, LogStore]
    """Shard → its journal."""
    ledgers: Mapping[str, LogStore]
    """Institution → its ledger."""
    settlement: Engine
    """The tables of services/settlement/README.md."""
    receipts: Engine | None = None
    """The tables of services/receipts."""
    terminals: Callable[[], Iterable[TerminalRecord]] = tuple
    """What each terminal remembers, read anew at every call; raises CliError."""
    search: Search | None = None
    """For I12."""
    rebuild: Mapping[str, MakeRebuilder] = field(default_factory=dict)
    """For I11: `settlement` and `receipts` made again from zero."""
    marks: Callable[[], Awaitable[Iterable[Mark]]] = _no_marks
    """For I2 and I13: what the snapshots say."""
    acknowledgements: Callable[[], Iterable[Acknowledgement]] = tuple
    """For I13: what else tells of appends that were acknowledged; raises CliError."""


def memories(directory: Path) -> Iterator[TerminalRecord]:
    """Every terminal that has a memory in `directory`, one after the other; raises CliError when one cannot be read."""
    for path in sorted(directory.glob("*.jsonl")):
        try:
            yield read_memory(path)
        except MemoryFileError as error:
            raise CliError(str(error)) from None
