"""All sides of one world while they are read."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from contracts.journal import record_decoder as journal_records
from contracts.ledger import record_decoder as ledger_records
from lianji.errors import CliError
from lianji.rates import foreign_rates
from lianji.scan.report import Report
from lianji.verify import acknowledged, terminals
from lianji.verify.acknowledged import Acknowledgement, Mark
from lianji.verify.books import Books
from lianji.verify.dues import write_rates
from lianji.verify.evidence import Evidence, Rebuilt
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals, Place
from lianji.verify.ledgers import Ledgers
from lianji.verify.reader import LogReader
from lianji.verify.rebuilt import Difference, Projected, compare
from lianji.verify.report import Noted
from lianji.verify.slips import Slips
from lianji.verify.sources import Progress, Sources
from runtime.log import Position

TELL_EVERY = 100_000
"""Rows between two words of progress."""

PROJECTIONS = ("settlement", "receipts")


class _Group(msgspec.Struct, gc=False):
    """Where a group stands; the key comes first."""

    log: str
    sequence: int
    digest: str


class Sides:
    """Readers of everything, and what they have read. To be closed; the evidence lives on."""

    def __init__(self, sources: Sources, work_dir: Path | None, progress: Progress) -> None:
        """Raises OSError when `work_dir` cannot be written."""
        self._sources, self._progress = sources, progress
        self._scratch = Path(tempfile.mkdtemp(prefix="lianji-verify-", dir=work_dir))
        self.facts = Facts(work_dir and self._scratch)
        self._groups = self.facts.rows("groups", _Group, keys=2)
        write_rates(self.facts, sources.world.institutions)
        self.journals, self.ledgers = (
            Journals(self.facts),
            Ledgers(self.facts, sources.world.cards, foreign_rates(sources.world.institutions)),
        )
        self.books = Books(sources.settlement)
        self.slips = Slips(sources.receipts) if sources.receipts is not None else None
        self.shards = {shard: self._journal(shard) for shard in sources.journals}
        self.banks = [self._bank(institution) for institution in sources.ledgers]
        self._checkpoints: dict[str, dict[str, int]] = {}
        self._marks: list[Mark] = []
        self._projected: list[Projected] = []
        self._balances = Noted()
        self._accounts_compared = 0
        self._rebuilt = Rebuilt(0, Noted(), PROJECTIONS)

    async def open(self) -> None:
        """What has to be known before the logs are read: a snapshot is older than the end of its log."""
        self._marks = list(await self._sources.marks())
        engines = {"settlement": self._sources.settlement, "receipts": self._sources.receipts}
        for name, make in self._sources.rebuild.items():
            engine, path = engines[name], self._scratch / f"{name}.db"
            if engine is not None:
                self._projected.append(Projected(name, engine, await make(f"sqlite:///{path}"), path))

    async def close(self) -> None:
        for projected in self._projected:
            await projected.rebuilder.close()
        shutil.rmtree(self._scratch)

    # ------------------------------------------------------------------ logs

    def _journal(self, shard: str) -> LogReader:
        store = self._sources.journals[shard]

        def take(sequence: int, position: int, raw: bytes) -> None:
            self.journals.read(journal_records.decode(raw), Place(shard, sequence, position))

        async def after(position: Position, payload: bytes) -> None:
            self._stands(store.name, position)
            for projected in self._projected:
                await projected.rebuilder.take(shard, position.sequence, payload)

        return LogReader(store, take, after, self._progress)

    def _bank(self, institution: str) -> LogReader:
        store = self._sources.ledgers[institution]

        def take(sequence: int, position: int, raw: bytes) -> None:
            self.ledgers.read(institution, ledger_records.decode(raw))

        async def after(position: Position, payload: bytes) -> None:
            self._stands(store.name, position)
            for mark in self._marks:
                if (mark.log, mark.position.sequence) == (store.name, position.sequence):
                    self._hold_against(institution, mark)

        return LogReader(store, take, after, self._progress)

    def _stands(self, log: str, position: Position) -> None:
        self._groups.add(_Group(log, *position))

    def _hold_against(self, institution: str, mark: Mark) -> None:
        """Our accounts as of this group against those of the snapshot that was made of it."""
        if mark.accounts is None:
            return
        ours = self.ledgers.holdings(institution)
        for number in ours.keys() | mark.accounts.keys():
            self._accounts_compared += 1
            mine, its = ours.get(number), mark.accounts.get(number)
            if mine != its:
                what = "is not what the bank's snapshot says"
                self._balances.violate(
                    f"{institution} {number}",
                    what,
                    replayed=tuple(mine or ()),
                    snapshot=tuple(its or ()),
                    sequence=mark.position.sequence,
                )

    async def read_logs(self) -> int:
        """Reads all logs on to their ends; how many of the journals' records have moved the world since the last time."""
        before = self.journals.moves
        for reader in (*self.shards.values(), *self.banks):
            await reader.read_on()
        return self.journals.moves - before

    def behind(self) -> dict[str, int]:
        """Projection → groups that it has yet to read; raises CliError when its database cannot be read."""
        with _readable("settlement"):
            self._checkpoints["settlement"] = self.books.checkpoints()
        if self.slips is not None:
            with _readable("receipts"):
                self._checkpoints["receipts"] = self.slips.checkpoints()
        whole = {shard: reader.position.sequence for shard, reader in self.shards.items() if not reader.damage}
        late = {
            name: sum(max(sequence - checkpoints.get(shard, 0), 0) for shard, sequence in whole.items())
            for name, checkpoints in self._checkpoints.items()
        }
        return {name: groups for name, groups in late.items() if groups}

    def damage(self) -> list[tuple[str, str]]:
        """Logs that cannot be trusted, and why. To be asked after the journals have been read for the last time."""
        found = [(r.store.name, r.damage) for r in (*self.shards.values(), *self.banks) if r.damage]
        for name, checkpoints in self._checkpoints.items():
            for shard, reader in self.shards.items():
                lost = checkpoints.get(shard, 0) - reader.position.sequence
                if lost > 0 and not reader.damage:
                    found.append((reader.store.name, f"{name} has read {lost} groups that are not in the journal"))
        return found

    # ------------------------------------------------------------------ tables and files

    async def read_tables(self) -> None:
        """Everything but the logs, anew; raises CliError."""
        await self._all(terminals.read(self.facts, self._sources.terminals()), "terminals' transactions")
        with _readable("settlement"):
            await self._all(self.books.read(self.facts), "of settlement's rows")
        if self.slips is not None:
            with _readable("receipts"):
                await self._all(self.slips.read(self.facts, self.journals), "slips")
        await self._all(acknowledged.read(self.facts, self._acknowledgements()), "acknowledgements")

    def _acknowledgements(self) -> Iterator[Acknowledgement]:
        yield from acknowledged.of_marks(self._marks)
        yield from self._sources.acknowledgements()

    async def rebuild(self) -> None:
        """Waits for the projections to have been made again, and compares them; raises CliError."""
        noted, rows = Noted(), 0
        for projected in self._projected:
            self._progress(f"comparing {projected.name} with the same made again from zero")
            if stopped := await projected.rebuilder.rest():
                noted.violate(projected.name, "cannot be made again", reason=stopped)
                continue
            with _readable(projected.name):
                for compared in compare(projected):
                    if isinstance(compared, Difference):
                        noted.violate(*compared)
                    else:
                        rows += compared
                        await asyncio.sleep(0)
        made = {projected.name for projected in self._projected}
        self._rebuilt = Rebuilt(rows, noted, tuple(name for name in PROJECTIONS if name not in made))

    async def _all(self, steps: Iterable[int], what: str) -> None:
        """Goes through a long reading; the connection has its pings to answer meanwhile."""
        done = told = 0
        for count in steps:
            done += count
            await asyncio.sleep(0)
            if done >= told + TELL_EVERY:
                told = done
                self._progress(f"reading {done:,} {what}")

    def evidence(self, scanned: Report | None) -> Evidence:
        """All of it. Its facts are the caller's to close."""
        self.facts.flush()
        return Evidence(
            facts=self.facts,
            journals=self.journals,
            ledgers=self.ledgers,
            books=self.books,
            has_slips=self.slips is not None,
            damage=self.damage(),
            unreadable=frozenset(r.store.name for r in (*self.shards.values(), *self.banks) if r.damage),
            balances=self._balances,
            accounts_compared=self._accounts_compared,
            rebuilt=self._rebuilt,
            scanned=scanned,
        )


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise CliError(f"{name}'s database cannot be read ({type(error).__name__}): is {name} running?") from None
