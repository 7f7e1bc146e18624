"""Writing a backup, from a stack that goes on working.

The order makes it consistent. The databases come first: they follow the journals, and are behind them or level. Then the journals, each
up to the sequence it had when its turn came, then the banks' ledgers: so no bank lacks what the journal calls approved, and what banks
have beyond the journal is what a restore looks for anyway. The terminals come last.
"""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from contracts import access, subjects
from lianji.errors import CliError
from lianji.permissions import buckets_of, everybody
from lianji.recovery.manifest import (
    NAME,
    VERSION,
    BucketEntry,
    DatabaseEntry,
    LogEntry,
    Manifest,
    file_entry,
    fingerprint,
)
from runtime import streams
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import Position, digest, read_groups
from runtime.rights import bucket_stream, bucket_subject
from world import World

DATABASES = ("receipts.db", "settlement.db")
OPERATION = "KV-Operation"
"""Header of a bucket's message that takes a key away (NATS, ADR-8)."""

Progress = Callable[[str], None]


class Entry(msgspec.Struct, kw_only=True):
    """A line of a bucket's file."""

    key: str
    value: str
    """Base64."""


def stamp() -> str:
    """Now, UTC, so that names sort as they were made."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def logs_of(world: World) -> list[access.Log]:
    """Every log: the journals, then the ledgers."""
    owned = [log for one in everybody(world) for log in one.owns]
    return sorted(owned, key=lambda log: (not log.stream.startswith("JOURNAL_"), log.stream))


def kept_buckets(world: World) -> list[str]:
    """What a restore puts back. Leases run out, and snapshots and heads speak of a store that is no more."""
    every = dict.fromkeys(bucket for one in everybody(world) for bucket in buckets_of(one))
    return [b for b in every if b != subjects.LEASES and not b.startswith(subjects.SNAPSHOTS)]


async def values_of(bus: Bus, bucket: str) -> AsyncIterator[tuple[str, bytes]]:
    """(key, value) of a bucket as it stands; raises NotDelivered, NoAnswer."""
    prefix = bucket_subject(bucket, "")
    async for message in streams.messages_behind(bus, bucket_stream(bucket), 0):
        if OPERATION not in message.headers:
            yield message.subject.removeprefix(prefix), message.data


async def write(bus: Bus, world: World, data_dir: Path, to: Path, *, keys: Path | None, progress: Progress) -> Path:
    """The folder of a new backup below `to`; raises CliError, LogDamaged. What is not finished has no manifest."""
    made_at = stamp()
    final, partial = to / made_at, to / f"{made_at}.partial"
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise CliError(f"to: {partial} cannot be made: {error.strerror}") from None
    databases = [_database(data_dir / name, partial) for name in DATABASES]
    logs = []
    for log in logs_of(world):
        logs.append(await _log(bus, log, partial))
        progress(f"{log.stream}: {logs[-1].sequence:,} groups, {logs[-1].records:,} records")
    buckets = [await _bucket(bus, name, partial) for name in kept_buckets(world)]
    terminals = list(_terminals(data_dir, partial))
    paths = [*(e.path for e in databases), *(e.path for e in logs), *(e.path for e in buckets), *terminals]
    manifest = Manifest(
        version=VERSION,
        made_at=made_at,
        world=fingerprint(world, keys),
        logs=logs,
        buckets=buckets,
        databases=databases,
        terminals=len(terminals),
        files=[file_entry(partial, path) for path in paths],
    )
    for path in paths:
        sync(partial / path)
    (partial / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    sync(partial / NAME)
    sync(partial)
    partial.rename(final)
    sync(to)
    return final


def sync(path: Path) -> None:
    """On the disk when it returns; a directory's names too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _log(bus: Bus, log: access.Log, backup: Path) -> LogEntry:
    store = JetStreamLog(bus, log.stream, log.subject)
    path = f"logs/{log.stream}.jsonl"
    (backup / "logs").mkdir(exist_ok=True)
    position, records = Position(), 0
    with (backup / path).open("wb") as file:
        async for group in read_groups(store, position, await store.last_sequence()):
            file.write(group.payload + b"\n")
            position, records = Position(group.sequence, digest(group.payload)), records + len(group.group.records)
    return LogEntry(
        path=path,
        stream=log.stream,
        subject=log.subject,
        sequence=position.sequence,
        digest=position.digest,
        records=records,
    )


async def _bucket(bus: Bus, bucket: str, backup: Path) -> BucketEntry:
    path, keys = f"buckets/{bucket}.jsonl", 0
    (backup / "buckets").mkdir(exist_ok=True)
    with (backup / path).open("wb") as file:
        async for key, value in values_of(bus, bucket):
            file.write(msgspec.json.encode(Entry(key=key, value=base64.b64encode(value).decode())) + b"\n")
            keys += 1
    return BucketEntry(path=path, bucket=bucket, keys=keys)


def _database(source: Path, backup: Path) -> DatabaseEntry:
    if not source.is_file():
        raise CliError(f"{source} is not there: --data-dir must be a stack's data directory")
    path = f"databases/{source.name}"
    (backup / "databases").mkdir(exist_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(backup / path)) as copy,
        ):
            original.backup(copy)
            rows = copy.execute("SELECT partition, sequence FROM checkpoints").fetchall()
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise CliError(f"{source} cannot be copied ({error}): see docs/runbook/damaged-log.md") from None
    return DatabaseEntry(path=path, checkpoints={str(partition): int(sequence) for partition, sequence in rows})


def _terminals(data_dir: Path, backup: Path) -> Iterable[str]:
    """A memory is appended to while it is copied: a last line that is half there counts for nothing, here as there."""
    for source in sorted((data_dir / "terminals").glob("*.jsonl")):
        (backup / "terminals").mkdir(exist_ok=True)
        shutil.copyfile(source, backup / "terminals" / source.name)
        yield f"terminals/{source.name}"
