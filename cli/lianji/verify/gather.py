"""Reads everything, once the world is quiet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import OperationalError

from contracts import subjects
from contracts.journal import record_decoder as journal_records
from contracts.ledger import record_decoder as ledger_records
from lianji.errors import CliError
from lianji.verify.books import Books
from lianji.verify.evidence import Evidence, read_terminals
from lianji.verify.journals import Journals
from lianji.verify.ledgers import Ledgers
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogDamaged, LogStore, Position, digest, read_groups
from world import World

Progress = Callable[[str], None]


class _Reader:
    """Reads one log on from where it stopped."""

    def __init__(self, store: LogStore, take: Callable[[bytes], None]) -> None:
        self.store = store
        self.position = Position()
        self.damage = ""
        self._take = take

    async def read_on(self) -> None:
        if self.damage:
            return
        try:
            last = await self.store.last_sequence()
            async for group in read_groups(self.store, self.position, last):
                for raw in group.group.records:
                    self._take(bytes(raw))
                self.position = Position(group.sequence, digest(group.payload))
        except LogDamaged as error:
            self.damage = str(error)


async def gather(bus: Bus, world: World, data_dir: Path, *, patience_s: float, progress: Progress) -> Evidence:
    """The evidence, after waiting up to `patience_s` for open transactions to end and settlement to follow; raises CliError."""
    journals, ledgers = Journals(), Ledgers()
    books = Books(_database(data_dir))
    readers = {
        str(shard): _Reader(
            JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard)),
            lambda raw: journals.read(journal_records.decode(raw)),
        )
        for shard in range(world.shards)
    }
    banks = [_bank(bus, institution.id, ledgers) for institution in world.institutions]
    give_up = time.monotonic() + patience_s
    while True:
        # Terminals first: what a terminal has seen is in the logs already, and the other way round it need not be.
        seen = read_terminals(data_dir)
        for reader in (*readers.values(), *banks):
            await reader.read_on()
        open_ = sum(1 for _ in journals.unfinished())
        behind = _behind(books, readers)
        if (not open_ and not behind) or time.monotonic() > give_up:
            break
        progress(f"waiting for quiet: {open_} transactions open, settlement {behind} groups behind")
        await asyncio.sleep(0.25)
    if behind:
        raise CliError(
            f"settlement is {behind} groups behind the journal: start the stack (`lianji up`), or wait, and verify again"
        )
    damage = [(r.store.name, r.damage) for r in (*readers.values(), *banks) if r.damage]
    progress(
        f"{journals.records} journal records, {ledgers.records} ledger records, {len(seen)} transactions at terminals"
    )
    return Evidence(journals=journals, ledgers=ledgers, books=books, booked=books.booked(), seen=seen, damage=damage)


def _bank(bus: Bus, institution: str, ledgers: Ledgers) -> _Reader:
    store = JetStreamLog(bus, subjects.ledger_stream(institution), subjects.ledger(institution))
    return _Reader(store, lambda raw: ledgers.read(institution, ledger_records.decode(raw)))


def _behind(books: Books, readers: dict[str, _Reader]) -> int:
    try:
        checkpoints = books.checkpoints()
    except OperationalError:
        raise CliError("settlement.db has no ledger in it yet: is settlement running?") from None
    return sum(max(reader.position.sequence - checkpoints.get(shard, 0), 0) for shard, reader in readers.items())


def _database(data_dir: Path) -> Path:
    path = data_dir / "settlement.db"
    if not path.exists():
        raise CliError(f"{path} is not there: --data-dir must be a stack's data directory")
    return path
