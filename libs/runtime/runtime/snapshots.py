"""The state of a log at a sequence, kept in an object store. An optimisation: without any, a log is replayed from its first record."""

from __future__ import annotations

import asyncio
import hashlib
from typing import NamedTuple, Protocol

import msgspec
import nats.errors
import nats.js.errors
from nats.js.object_store import ObjectStore

from runtime import logs
from runtime.bus import Bus
from runtime.log import Position

log = logs.get("snapshots")

KEPT = 2
READ_S = 10.0


class Snapshot(NamedTuple):
    position: Position
    state: bytes


class Snapshots(Protocol):
    """Where the snapshots of one log are kept."""

    async def save(self, snapshot: Snapshot) -> None: ...

    async def newest(self) -> list[Snapshot]:
        """The undamaged ones, newest first."""


class NoSnapshots:
    """For logs that are short: always replayed whole."""

    async def save(self, snapshot: Snapshot) -> None:
        return

    async def newest(self) -> list[Snapshot]:
        return []


class _Head(msgspec.Struct, kw_only=True):
    sequence: int
    digest: str
    sha256: str


_head = msgspec.json.Decoder(_Head)


class SnapshotDamagedError(Exception):
    """What was read is not what was written."""


def pack(snapshot: Snapshot) -> bytes:
    head = _Head(
        sequence=snapshot.position.sequence,
        digest=snapshot.position.digest,
        sha256=hashlib.sha256(snapshot.state).hexdigest(),
    )
    return msgspec.json.encode(head) + b"\n" + snapshot.state


def unpack(data: bytes) -> Snapshot:
    """Raises SnapshotDamagedError."""
    line, _, state = data.partition(b"\n")
    try:
        head = _head.decode(line)
    except msgspec.MsgspecError:
        raise SnapshotDamagedError("its head cannot be read") from None
    if hashlib.sha256(state).hexdigest() != head.sha256:
        raise SnapshotDamagedError("its state is not what was written")
    return Snapshot(Position(head.sequence, head.digest), state)


class ObjectSnapshots:
    """Snapshots of one log in a JetStream object store, named `<log>.<sequence>`."""

    def __init__(self, store: ObjectStore, log_name: str) -> None:
        self._store = store
        self._prefix = log_name + "."

    async def _names(self) -> list[tuple[int, str]]:
        try:
            objects = await self._store.list(ignore_deletes=True)
        except nats.js.errors.NotFoundError:
            return []
        names = [o.name for o in objects if o.name and o.name.startswith(self._prefix)]
        return sorted(((int(n.removeprefix(self._prefix)), n) for n in names), reverse=True)

    async def save(self, snapshot: Snapshot) -> None:
        """Keeps the newest KEPT. A snapshot that cannot be written costs a longer replay, nothing else."""
        try:
            await self._store.put(f"{self._prefix}{snapshot.position.sequence}", pack(snapshot))
            for _, name in (await self._names())[KEPT:]:
                await self._store.delete(name)
        except (nats.js.errors.Error, nats.errors.Error, TimeoutError) as error:
            log.warning("snapshot not written", log=self._prefix[:-1], error=type(error).__name__)

    async def newest(self) -> list[Snapshot]:
        found = []
        try:
            names = await asyncio.wait_for(self._names(), READ_S)
        except (nats.js.errors.Error, nats.errors.Error, TimeoutError) as error:
            log.warning("snapshots not readable, replaying more", log=self._prefix[:-1], error=type(error).__name__)
            return []
        for _, name in names:
            try:
                # The client waits for an object's chunks for ever, also for those of one that is just being pruned.
                data = (await asyncio.wait_for(self._store.get(name), READ_S)).data or b""
                found.append(unpack(data))
            except (nats.js.errors.Error, nats.errors.Error, TimeoutError, SnapshotDamagedError) as error:
                log.warning("snapshot skipped", snapshot=name, reason=str(error) or type(error).__name__)
        return found


async def open_snapshots(bus: Bus, bucket: str, log_name: str) -> ObjectSnapshots:
    return ObjectSnapshots(await bus.client.jetstream(timeout=10).object_store(bucket), log_name)
