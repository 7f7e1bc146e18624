"""The state of a log at a sequence, kept in a bucket. An optimisation: without any, a log is replayed from its first record."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol

import msgspec

from runtime import logs
from runtime.bus_errors import BusError
from runtime.log import Position

log = logs.get("snapshots")

KEPT = 2
PIECE_BYTES = 512 * 1024
"""Below the broker's largest message, also in base64."""


class Snapshot(NamedTuple):
    position: Position
    state: bytes


class Kept(NamedTuple):
    """A snapshot that is kept, without its state."""

    position: Position
    bytes_at_most: int


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


class _PlaceHead(msgspec.Struct, kw_only=True):
    """What stands in a place: written last."""

    sequence: int
    pieces: int


_head = msgspec.json.Decoder(_Head)
_place_head = msgspec.json.Decoder(_PlaceHead)


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


class Bucket(Protocol):
    """runtime.jetstream.Bucket; each call raises NoAnswer when nobody can say."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...


class BucketSnapshots:
    """Snapshots of one log in a bucket: KEPT places, each with a head and the pieces of one snapshot.

    A new one overwrites the older place, so nothing is ever deleted, which no service may. One that is only half written, or that is
    overwritten while it is read, does not match its head's digest and is skipped for the other.
    """

    def __init__(self, bucket: Bucket, log_name: str) -> None:
        self._bucket = bucket
        self._log = log_name

    async def _heads(self) -> list[tuple[int, int]]:
        """(sequence, place) of those there are, the newest first; raises NoAnswer."""
        found = []
        for place in range(KEPT):
            head = await self._head(place)
            if head is not None:
                found.append((head.sequence, place))
        return sorted(found, reverse=True)

    async def _head(self, place: int) -> _PlaceHead | None:
        stored = await self._bucket.get(f"{self._log}.{place}.head")
        try:
            return None if stored is None else _place_head.decode(stored)
        except msgspec.MsgspecError:
            return None  # a place to be overwritten

    async def kept(self) -> list[Kept]:
        """Those there are, newest first, from their first pieces alone; one that is half written is left out. Raises NoAnswer."""
        found = []
        for sequence, place in await self._heads():
            head = await self._head(place)
            first = await self._bucket.get(f"{self._log}.{place}.0") or b""
            try:
                stands = _head.decode(first.partition(b"\n")[0])
            except msgspec.MsgspecError:
                continue
            if head is not None and stands.sequence == sequence:
                found.append(Kept(Position(sequence, stands.digest), head.pieces * PIECE_BYTES))
        return found

    async def save(self, snapshot: Snapshot) -> None:
        """A snapshot that cannot be written costs a longer replay, nothing else."""
        data = pack(snapshot)
        pieces = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
        try:
            taken = await self._heads()
            free = set(range(KEPT)) - {place for _, place in taken}
            place = min(free) if free else taken[-1][1]
            for number, piece in enumerate(pieces):
                await self._bucket.put(f"{self._log}.{place}.{number}", piece)
            head = _PlaceHead(sequence=snapshot.position.sequence, pieces=len(pieces))
            await self._bucket.put(f"{self._log}.{place}.head", msgspec.json.encode(head))
        except BusError as error:
            log.warning("snapshot not written", log=self._log, error=str(error))

    async def newest(self) -> list[Snapshot]:
        found = []
        try:
            heads = await self._heads()
        except BusError as error:
            log.warning("snapshots not readable, replaying more", log=self._log, error=str(error))
            return []
        for sequence, place in heads:
            try:
                found.append(await self._read(sequence, place))
            except (BusError, SnapshotDamagedError) as error:
                log.warning("snapshot skipped", log=self._log, sequence=sequence, reason=str(error))
        return found

    async def _read(self, sequence: int, place: int) -> Snapshot:
        """Raises NoAnswer, SnapshotDamagedError."""
        head = await self._head(place)
        pieces = []
        for number in range(head.pieces if head is not None else 0):
            pieces.append(await self._bucket.get(f"{self._log}.{place}.{number}") or b"")
        snapshot = unpack(b"".join(pieces))
        if snapshot.position.sequence != sequence:
            raise SnapshotDamagedError("another one has been written over it")
        return snapshot
