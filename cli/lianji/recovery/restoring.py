"""All of a restore, over a data directory that no stack uses.

What is there is moved aside and read where it lies; it is not written to, but by its own broker, which cuts off what it cannot read. The
new store is filled from the backup and from what the chain still reaches, then the sides are made to agree. When anything fails on the
way, all of it is put back as it was.
"""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from contracts import access, subjects
from contracts.access import AUDITOR, PROVISION, Keys
from contracts.codec import encode_stored
from contracts.journal import RESTORER, EpochStarted
from contracts.journal import record_decoder as journal_records
from contracts.ledger import LedgerEpochStarted
from contracts.ledger import record_decoder as ledger_records
from lianji.broker import BrokerError, LocalBroker
from lianji.declaration import declaration_for
from lianji.errors import CliError
from lianji.permissions import everybody, identity_of, users_of
from lianji.recovery.archive import DATABASES, Entry, kept_buckets, logs_of, stamp, sync, values_of
from lianji.recovery.charges import Charges
from lianji.recovery.manifest import BucketEntry, LogEntry, Manifest
from lianji.recovery.mended import Found, Mended
from lianji.recovery.mending import Mender
from lianji.recovery.paths import Paths
from lianji.recovery.stitching import Stitched, readable, stitch
from lianji.recovery.witnesses import Witnesses, read_witnesses
from runtime.bus import Bus, BusError
from runtime.jetstream import JetStreamLog, open_bucket
from runtime.log import GroupLog, LogDamaged, LogStore, Position, digest
from runtime.provision import provision
from world import World

Progress = Callable[[str], None]


class LogReport(msgspec.Struct, kw_only=True):
    """What became of one log."""

    stream: str
    from_backup: int
    from_store: int
    """Groups, by where they came from."""
    lost: int
    """Groups that are known to be in neither."""
    added: int
    """Records that the restore wrote behind them."""


class Report(msgspec.Struct, kw_only=True):
    backup: str
    aside: str
    """Where lies what was there before."""
    store_read: bool
    """Whether the damaged store could be read at all."""
    logs: list[LogReport] = []
    found: list[Found] = []
    refused: int = 0
    """Records from behind the damage that could not follow: their transactions are among those found, or had no effect."""


class Restorer:
    """One restore. `run` once, with the data directory's lock held; blocks, and starts two brokers for as long as it takes."""

    def __init__(
        self, backup: Path, manifest: Manifest, data_dir: Path, world: World, *, keys: Path | None, progress: Progress
    ) -> None:
        self._backup = backup
        self._manifest = manifest
        self._data_dir = data_dir.resolve()
        self._world = world
        self._keys = keys
        self._say = progress
        self._aside = self._data_dir / f"damaged-{stamp()}"
        self._report = Report(backup=str(backup), aside=str(self._aside), store_read=False)
        self._whole: dict[str, Stitched] = {}
        self._banks: list[Charges] = []
        self._paths: dict[int, Paths] = {}

    async def run(self) -> Report:
        """Raises CliError, LogDamaged; then everything is as it was."""
        self._move_aside()
        try:
            await self._restore()
        except BaseException:
            self._move_back()
            raise
        report = msgspec.json.format(msgspec.json.encode(self._report)) + b"\n"
        (self._aside / "restored.json").write_bytes(report)
        return self._report

    # ------------------------------------------------------------------ files

    def _moved(self) -> list[str]:
        names = ["broker"]
        return names + [f"{name}{suffix}" for name in DATABASES for suffix in ("", "-wal", "-shm")]

    def _move_aside(self) -> None:
        # A server that a killed supervisor left behind would go on writing there, under whatever name.
        LocalBroker(self._data_dir / "broker").stop_orphans()
        self._aside.mkdir(parents=True)
        for name in self._moved():
            if (self._data_dir / name).exists():
                (self._data_dir / name).rename(self._aside / name)

    def _move_back(self) -> None:
        for name in self._moved():
            target = self._data_dir / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
            if (self._aside / name).exists():
                (self._aside / name).rename(target)
        if not any(self._aside.iterdir()):
            self._aside.rmdir()

    def _copy_files(self) -> None:
        for database in self._manifest.databases:
            target = self._data_dir / Path(database.path).name
            shutil.copyfile(self._backup / database.path, target)
            sync(target)
        if not (self._data_dir / "terminals").exists() and (self._backup / "terminals").exists():
            shutil.copytree(self._backup / "terminals", self._data_dir / "terminals")

    # ------------------------------------------------------------------ the two stores

    async def _restore(self) -> None:
        self._copy_files()
        witnesses = read_witnesses(self._data_dir)
        fresh = LocalBroker(self._data_dir / "broker", users=users_of(self._keys))
        damaged = LocalBroker(self._aside / "broker", users=users_of(self._keys))
        with _running(fresh) as ok, _running(damaged, needed=damaged.directory.is_dir()) as readable_store:
            if not ok:
                raise CliError(f"the broker of the new store did not start; its log: {fresh.log_file}")
            self._report.store_read = readable_store
            if not readable_store:
                self._say(
                    "the damaged store cannot be started: what is restored is the backup, and what terminals hold"
                )
            async with self._connected(fresh, PROVISION) as bus:
                await provision(bus, declaration_for(self._world))
            old = damaged if readable_store else None
            for log in reversed(logs_of(self._world)):  # the banks first: what they hold decides about the journals
                await self._log(fresh, old, log)
            await self._mend(fresh, witnesses)
            for entry in self._manifest.buckets:
                await self._bucket(fresh, old, entry)

    @asynccontextmanager
    async def _connected(self, broker: LocalBroker, identity: str) -> AsyncIterator[Bus]:
        bus = await Bus.connect(broker.url, RESTORER, identity=identity_of(self._keys, identity), wait_s=10)
        try:
            yield bus
        finally:
            await bus.close()

    @asynccontextmanager
    async def _auditing(self, broker: LocalBroker | None) -> AsyncIterator[Bus | None]:
        if broker is None:
            yield None
            return
        async with self._connected(broker, AUDITOR) as bus:
            yield bus

    # ------------------------------------------------------------------ logs

    async def _log(self, fresh: LocalBroker, old: LocalBroker | None, log: access.Log) -> None:
        """Fills one log from backup and store, and follows it on its side."""
        entry = next((e for e in self._manifest.logs if e.stream == log.stream), None)
        take = self._side_of(log)
        owner = next(one.identity for one in everybody(self._world) if log in one.owns)
        async with self._connected(fresh, owner) as bus, self._auditing(old) as damaged:
            store = JetStreamLog(bus, log.stream, log.subject)

            async def append(payload: bytes, behind: Position) -> None:
                message_id = f"{log.subject}-restored-{behind.sequence + 1}-{digest(payload)[:16]}"
                await store.append(payload, expected=behind.sequence, message_id=message_id)
                for raw in msgspec.json.decode(payload, type=_Records).records:
                    take(bytes(raw))

            found = readable(damaged, log.stream) if damaged is not None else _nothing()
            try:
                whole = await stitch(self._lines(entry), found, append)
            except LogDamaged as error:
                raise CliError(f"{log.stream}: {error}") from None
        self._whole[log.stream] = whole
        self._report.logs.insert(
            0,
            LogReport(
                stream=log.stream,
                from_backup=whole.from_backup,
                from_store=whole.from_store,
                lost=whole.lost,
                added=0,
            ),
        )
        self._say(
            f"{log.stream}: {whole.from_backup:,} groups from the backup, {whole.from_store:,} from the damaged store, "
            f"{len(whole.behind):,} records behind the damage"
        )

    def _side_of(self, log: access.Log) -> Callable[[bytes], bool]:
        for institution in self._world.institutions:
            if log.stream == subjects.ledger_stream(institution.id):
                bank = Charges(institution.id)
                self._banks.append(bank)
                return lambda raw: bank.take(ledger_records.decode(raw))
        shard = next(s for s in range(self._world.shards) if log.stream == subjects.journal_stream(s))
        paths = self._paths[shard] = Paths()
        return lambda raw: paths.take(journal_records.decode(raw))

    def _lines(self, entry: LogEntry | None) -> Iterator[bytes]:
        if entry is not None:
            with (self._backup / entry.path).open("rb") as file:
                for line in file:
                    yield line.rstrip(b"\n")

    # ------------------------------------------------------------------ what is lost

    async def _mend(self, fresh: LocalBroker, witnesses: Witnesses) -> None:
        at_ms = time.time_ns() // 1_000_000
        ledgers: dict[str, list[Any]] = {}
        for bank in self._banks:
            behind = (
                ledger_records.decode(raw) for raw in self._whole[subjects.ledger_stream(bank.institution)].behind
            )
            ledgers[bank.institution] = [r for r in behind if not isinstance(r, LedgerEpochStarted) and bank.take(r)]
        for shard, paths in sorted(self._paths.items()):
            stream = subjects.journal_stream(shard)
            mender = Mender(shard, self._world, paths, self._banks, witnesses, at_ms=at_ms)
            mended: Mended = mender.run(journal_records.decode(raw) for raw in self._whole[stream].behind)
            for institution, records in mended.ledgers.items():
                ledgers[institution] += records
            self._report.found += mended.found
            self._report.refused += mended.refused
            epoch = EpochStarted(epoch=self._whole[stream].epoch + 1, owner=RESTORER, at_ms=at_ms)
            await self._add(fresh, access.Log(stream, subjects.journal(shard)), epoch, mended.journal)
        for institution, records in ledgers.items():
            stream = subjects.ledger_stream(institution)
            opened = LedgerEpochStarted(epoch=self._whole[stream].epoch + 1, owner=RESTORER, at_ms=at_ms)
            await self._add(fresh, access.Log(stream, subjects.ledger(institution)), opened, records)

    async def _add(self, fresh: LocalBroker, log: access.Log, epoch: Any, records: Sequence[Any]) -> None:
        """Appends behind the whole log, as an owner of its own; its epoch says that from there on the log is another, also without a record."""
        whole = self._whole[log.stream]
        owner = next(one.identity for one in everybody(self._world) if log in one.owns)
        async with self._connected(fresh, owner) as bus:
            store: LogStore = JetStreamLog(bus, log.stream, log.subject)
            term = GroupLog(store, whole.epoch + 1, whole.position, now_ns=time.time_ns)
            for record in (epoch, *records):
                term.append([encode_stored(record)])
            await term.flushed()
        next(row for row in self._report.logs if row.stream == log.stream).added = len(records)

    # ------------------------------------------------------------------ buckets

    async def _bucket(self, fresh: LocalBroker, old: LocalBroker | None, entry: BucketEntry) -> None:
        """What the store still gives is newer than the backup's; what it does not give comes from there."""
        if entry.bucket not in kept_buckets(self._world):
            return
        values = dict(self._entries(entry))
        async with self._auditing(old) as damaged:
            if damaged is not None:
                try:
                    values |= {key: value async for key, value in values_of(damaged, entry.bucket)}
                except BusError as error:
                    self._say(f"{entry.bucket}: as it was in the backup ({error})")
        writer = next(one.identity for one in everybody(self._world) if Keys(entry.bucket) in one.writes)
        async with self._connected(fresh, writer) as bus:
            bucket = await open_bucket(bus, entry.bucket)
            for key, value in values.items():
                await bucket.put(key, value)

    def _entries(self, entry: BucketEntry) -> Iterable[tuple[str, bytes]]:
        with (self._backup / entry.path).open("rb") as file:
            for line in file:
                row = msgspec.json.decode(line, type=Entry)
                yield row.key, base64.b64decode(row.value)


class _Records(msgspec.Struct):
    records: list[msgspec.Raw]


async def _nothing() -> AsyncIterator[tuple[int, bytes]]:
    return
    yield  # what makes it an iterator


@contextmanager
def _running(broker: LocalBroker, *, needed: bool = True) -> Iterator[bool]:
    """The broker, for as long as it takes; False when it does not start, or is not wanted."""
    if not needed:
        yield False
        return
    try:
        broker.start()
        started = True
    except BrokerError:
        started = False
    try:
        yield started
    finally:
        broker.stop()
