"""Reads everything, once the world is quiet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from contracts.journal import record_decoder as journal_records
from contracts.ledger import record_decoder as ledger_records
from lianji.errors import CliError
from lianji.verify.books import Books
from lianji.verify.evidence import Evidence, Seen, seen_at
from lianji.verify.journals import Journals
from lianji.verify.ledgers import Ledgers
from lianji.verify.sources import Progress, Sources
from runtime.log import LogDamaged, LogStore, Position, digest, read_groups


class LogReader:
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
            if last < self.position.sequence:
                raise LogDamaged(f"{self.store.name}: it ends at {last}, {self.position.sequence} has been read")
            async for group in read_groups(self.store, self.position, last):
                for raw in group.group.records:
                    self._take(bytes(raw))
                self.position = Position(group.sequence, digest(group.payload))
        except LogDamaged as error:
            self.damage = str(error)
        except msgspec.ValidationError as error:
            self.damage = f"{self.store.name}: sequence {self.position.sequence + 1} holds no record: {error}"


class _Sides:
    """Everything that is read, from all sides."""

    def __init__(self, sources: Sources) -> None:
        self.journals, self.ledgers, self.books = Journals(), Ledgers(), Books(sources.settlement)
        self.shards = {shard: self._journal(store) for shard, store in sources.journals.items()}
        self.banks = [self._bank(institution, store) for institution, store in sources.ledgers.items()]
        self._sources = sources
        self._checkpoints: dict[str, int] = {}

    def _journal(self, store: LogStore) -> LogReader:
        return LogReader(store, lambda raw: self.journals.read(journal_records.decode(raw)))

    def _bank(self, institution: str, store: LogStore) -> LogReader:
        return LogReader(store, lambda raw: self.ledgers.read(institution, ledger_records.decode(raw)))

    async def read_journals(self) -> int:
        """Reads the journals on to their ends; how many records have moved the world since the last time."""
        before = self.journals.moves
        for reader in self.shards.values():
            await reader.read_on()
        return self.journals.moves - before

    async def read_rest(self) -> list[Seen]:
        """Reads the banks on, and all terminals again; raises CliError when a terminal's memory cannot be read."""
        for reader in self.banks:
            await reader.read_on()
        return seen_at(self._sources.terminals())

    def behind(self) -> int:
        """Groups that settlement has yet to read; raises CliError when its database cannot be read."""
        try:
            self._checkpoints = self.books.checkpoints()
        except SQLAlchemyError as error:
            raise CliError(f"settlement.db cannot be read ({type(error).__name__}): is settlement running?") from None
        whole = ((shard, reader) for shard, reader in self.shards.items() if not reader.damage)
        return sum(max(reader.position.sequence - self._checkpoints.get(shard, 0), 0) for shard, reader in whole)

    def damage(self) -> list[tuple[str, str]]:
        """Logs that cannot be trusted, and why. To be asked after the journals have been read for the last time."""
        found = [(r.store.name, r.damage) for r in (*self.shards.values(), *self.banks) if r.damage]
        for shard, reader in self.shards.items():
            lost = self._checkpoints.get(shard, 0) - reader.position.sequence
            if lost > 0 and not reader.damage:
                found.append((reader.store.name, f"settlement has read {lost} groups that are not in the journal"))
        return found


def _nobody_listens(_: str) -> None:
    return


async def gather(sources: Sources, *, patience_s: float = 0.0, progress: Progress = _nobody_listens) -> Evidence:
    """The evidence, after waiting up to `patience_s` for open transactions to end and settlement to follow; raises CliError.

    Nothing stops the world meanwhile. So the journals are read before and after everything else: when nothing has moved in
    between, all sides speak of the same moment.
    """
    sides = _Sides(sources)
    give_up = time.monotonic() + patience_s
    while True:
        await sides.read_journals()
        seen = await sides.read_rest()
        late, unfinished = sides.behind(), sum(1 for _ in sides.journals.unfinished())
        patient = time.monotonic() < give_up
        at_rest = not late and not unfinished
        booked = sides.books.booked() if at_rest or not patient else {}
        moved = await sides.read_journals()
        if not moved and (at_rest or not patient):
            break
        if not patient:
            raise CliError(f"{moved} records came in while the books were read: end the traffic and verify again")
        progress(
            f"waiting for quiet: {unfinished} transactions open, settlement {late} groups behind, {moved} new records"
        )
        await asyncio.sleep(0.25)
    if late:
        raise CliError(
            f"settlement is {late} groups behind the journal: start the stack (`lianji up`), or wait, and verify again"
        )
    read = f"{sides.journals.records} journal records, {sides.ledgers.records} ledger records"
    progress(f"{read}, {len(seen)} transactions at terminals")
    scanned = await sources.search(progress) if sources.search is not None else None
    return Evidence(sides.journals, sides.ledgers, sides.books, booked, seen, sides.damage(), scanned)
