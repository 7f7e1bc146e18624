"""The sources of a stack: its broker, and its databases and files as far as they can be reached from here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Container, Iterable
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from contracts import slices, subjects
from lianji.errors import CliError
from lianji.scan.detector import Detector
from lianji.scan.everywhere import search
from lianji.scan.report import Report
from lianji.scan.streams import search_streams
from lianji.scan.wanted import wanted
from lianji.verify import acknowledged
from lianji.verify.acknowledged import Acknowledgement, Holding, Mark
from lianji.verify.rebuilt import in_services
from lianji.verify.sources import Progress, Sources, memories
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog, open_bucket
from runtime.log import LogDamaged, LogStore, unheard
from runtime.rights import bucket_stream
from runtime.snapshots import BucketSnapshots, Snapshot
from runtime.sql import open_engine
from runtime.streams import states
from world import World

SNAPSHOT_BYTES = 8 * 1024 * 1024
"""A snapshot that is larger is not read: a bank's grows with its transactions, and memory is to stay flat."""


ACKS = "acks.jsonl"
"""In a data directory: acknowledgements that somebody has written down (lianji.verify.acknowledged)."""


class Places(NamedTuple):
    """Where a stack's files are, as far as they can be reached from here."""

    data_dir: Path | None
    """None: a stack that runs elsewhere, of which only what is named below is read."""
    settlement: str = ""
    """SQLAlchemy URL; empty: in the data directory. `receipts` alike."""
    receipts: str = ""
    terminals: Path | None = None
    """None: in the data directory. `acks` alike."""
    acks: Path | None = None


@asynccontextmanager
async def of_stack(bus: Bus, world: World, places: Places) -> AsyncIterator[Sources]:
    """The sources of the stack whose broker is on `bus`; raises CliError, and runtime's BusError."""
    settlement = _engine("settlement", places.settlement, places.data_dir)
    receipts = _engine("receipts", places.receipts, places.data_dir)
    terminals = places.terminals or (places.data_dir / "terminals" if places.data_dir is not None else None)
    try:
        there = await states(bus)
        yield Sources(
            world=world,
            journals={
                str(shard): _log(bus, there, subjects.journal_stream(shard), subjects.journal(shard))
                for shard in range(world.shards)
            },
            ledgers={
                bank.id: _log(bus, there, subjects.ledger_stream(bank.id), subjects.ledger(bank.id))
                for bank in world.institutions
            },
            settlement=settlement,
            receipts=receipts,
            terminals=lambda: memories(terminals) if terminals is not None else (),
            search=lambda progress: _search(bus, world, places.data_dir, progress),
            rebuild=in_services("settlement", "receipts"),
            marks=lambda: _marks(bus, world, there),
            acknowledgements=_acknowledgements(places),
        )
    finally:
        settlement.dispose()
        receipts.dispose()


class _Gone:
    """A log whose stream the broker does not have: damage, and no question of patience."""

    def __init__(self, stream: str, subject: str) -> None:
        self.name = subject
        self._lost = LogDamaged(f"{subject}: the broker has no stream {stream}")

    async def last_sequence(self) -> int:
        raise self._lost

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        raise self._lost

    async def read(self, sequence: int) -> bytes | None:
        raise self._lost

    async def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        raise self._lost
        yield  # a generator, as the protocol wants it


def _log(bus: Bus, there: Container[str], stream: str, subject: str) -> LogStore:
    return JetStreamLog(bus, stream, subject) if stream in there else _Gone(stream, subject)


async def _search(bus: Bus, world: World, data_dir: Path | None, progress: Progress) -> Report:
    """Without a data directory the streams alone."""
    if data_dir is not None:
        return await search(bus, world, data_dir, progress)
    report = Report()
    progress("searching streams")
    await search_streams(bus, Detector(wanted(world)), report)
    return report


def _engine(name: str, url: str, data_dir: Path | None) -> Engine:
    """A projection's database; raises CliError."""
    if not url:
        if data_dir is None:
            raise CliError(f"{name}: missing; give the URL of its database, or the --data-dir where it is")
        path = data_dir / f"{name}.db"
        if not path.exists():
            raise CliError(f"{path} is not there: --data-dir must be a stack's data directory")
        url = f"sqlite:///{path.absolute()}"
    try:
        database = make_url(url)
        if database.get_backend_name() == "sqlite" and not Path(database.database or "").is_file():
            raise CliError(f"{name}: there is no file {database.database}")  # SQLite would make one
        engine = open_engine(url, read_only=True)
        with engine.connect():
            return engine
    except ArgumentError:
        raise CliError(f"{name}: not an SQLAlchemy URL; write it like sqlite:////data/{name}.db") from None
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise CliError(f"{name}: the database cannot be opened ({type(error).__name__})") from None


def _acknowledgements(places: Places) -> Callable[[], Iterable[Acknowledgement]]:
    directory, acks = places.data_dir, places.acks
    if acks is None and directory is not None and (directory / ACKS).exists():
        acks = directory / ACKS
    return lambda: chain(
        acknowledged.of_file(acks) if acks is not None else (),
        acknowledged.of_spans(directory) if directory is not None else (),
    )


class _Account(msgspec.Struct, array_like=True):
    """An account as a bank's snapshot has it (issuer_sim.domain.accounts), as far as it is compared."""

    number: str
    currency: str
    opening_minor: int
    credit_limit_minor: int
    balance_minor: int
    wrong_pins: int
    status: str
    held_minor: int


class _Bank(msgspec.Struct, tag="issuer-7"):
    """A bank's snapshot, as far as it is compared."""

    accounts: dict[str, _Account]


_bank = msgspec.msgpack.Decoder(_Bank)


async def _marks(bus: Bus, world: World, there: Container[str]) -> Iterable[Mark]:
    """What every log's snapshots say, as far as their buckets are there; raises runtime's BusError."""
    found: list[Mark] = []
    if bucket_stream(subjects.SNAPSHOTS_AUTH) in there:
        bucket = await open_bucket(bus, subjects.SNAPSHOTS_AUTH)
        for shard in range(world.shards):
            log = subjects.journal(shard)
            found += [Mark(log, kept.position) for kept in await BucketSnapshots(bucket, log).kept()]
    for institution in world.institutions:
        name = subjects.snapshots_issuer(institution.id)
        if bucket_stream(name) in there:
            log = subjects.ledger(institution.id)
            found += await _of_bank(log, BucketSnapshots(await open_bucket(bus, name), log))
    return found


async def _of_bank(log: str, snapshots: BucketSnapshots) -> list[Mark]:
    kept = await snapshots.kept()
    if any(one.bytes_at_most > SNAPSHOT_BYTES for one in kept):
        return [Mark(log, one.position) for one in kept]
    return [Mark(log, snapshot.position, _holdings(snapshot)) for snapshot in await snapshots.newest()]


def _holdings(snapshot: Snapshot) -> dict[str, Holding] | None:
    """By the first part, which is all but the transactions; None for a snapshot of another layout, which its bank would not read either."""
    try:
        accounts = _bank.decode(next(slices.split(snapshot.state), b"")).accounts
    except msgspec.MsgspecError:
        return None
    return {number: Holding(account.balance_minor, account.held_minor) for number, account in accounts.items()}
