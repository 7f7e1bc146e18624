"""One log: groups of records behind one another, each fenced by the log's own sequence and chained by hash.

A log has one writer at a time. While one group is in flight, what arrives waits and becomes the next group (group commit):
one synced write carries many records. The rules are those of docs/adr/0003: an append of unknown outcome is repeated byte for
byte; when the log says that its sequence has moved, what stands there decides: ours → it landed, another's → we are fenced.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec

from runtime import catalogue, logs
from runtime.metrics import Metrics

log = logs.get("log")

NOTED_EVERY = 4096
"""Groups of a long reading between two notes of how far it is: half a second of it. Who is killed on the way leaves the rest to read."""


class LogError(Exception):
    """AppendUnknown | WrongSequence | Fenced | LogDamaged."""


class AppendUnknown(LogError):  # noqa: N818
    """The append may have landed, or not, or may yet."""


class WrongSequence(LogError):  # noqa: N818
    """The log's last sequence is not the expected one."""


class Fenced(LogError):  # noqa: N818
    """Another owner has written: this one's memory is worth nothing any more."""


class LogDamaged(LogError):  # noqa: N818
    """A gap in the sequence or a broken hash chain: the log must not be written or trusted before an operator has looked."""


def unheard() -> None:
    """For whoever does not ask when a group has left."""


class LogStore(Protocol):
    """Where groups are kept. `name` is the log's subject."""

    @property
    def name(self) -> str: ...

    async def last_sequence(self) -> int:
        """Sequence of the last group, 0 when there is none; raises LogDamaged when messages are missing."""

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        """Appends behind sequence `expected` and returns the new sequence, synced; raises WrongSequence or AppendUnknown.

        `sent` is called when the group has left for the broker, ahead of anything that is published after that; not at all when it cannot leave.
        """

    async def read(self, sequence: int) -> bytes | None:
        """The group at `sequence` from the leader, None when there is none; raises AppendUnknown when nobody can say."""

    def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        """The groups from `sequence` to `last`, both included, in order."""


class OwnedStore(LogStore, Protocol):
    """What an owner writes to."""

    def found_whole(self, broker: str) -> None:
        """All that stands there now has been read from this broker: while it runs, what is to be appended next has firm ground."""

    def read_beside(self, after: int, last: int, broker: str) -> None:
        """What stands behind `after` up to `last` has not been read from this broker, and is from now on, beside the work."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What one message of a log holds."""

    log: str
    epoch: int
    number: int
    """1, 2, … within the epoch."""
    prev: str
    """SHA-256, hex, of the payload of the group before; empty for the first."""
    records: list[msgspec.Raw]
    v: int = 1


class StoredGroup(NamedTuple):
    """A group with where it stands."""

    sequence: int
    payload: bytes
    group: Group


class Position(NamedTuple):
    """The end of a log: sequence and digest of its last group."""

    sequence: int = 0
    digest: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Group).decode


def digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def decode_group(payload: bytes, where: str = "group") -> Group:
    """The group in a message; raises LogDamaged that names `where`, never with the payload's content."""
    try:
        return _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogDamaged(f"{where}: cannot be read ({type(error).__name__})") from None


async def read_groups(store: LogStore, after: Position, last: int) -> AsyncIterator[StoredGroup]:
    """The groups behind `after` up to `last`, checked for gaps and for the hash chain; raises LogDamaged."""
    position = after
    async for sequence, payload in store.read_from(after.sequence + 1, last):
        if sequence != position.sequence + 1:
            raise LogDamaged(f"{store.name}: sequence {position.sequence + 1} is missing, {sequence} follows")
        group = decode_group(payload, f"{store.name}: sequence {sequence}")
        if group.prev != position.digest:
            raise LogDamaged(f"{store.name}: the hash chain is broken at sequence {sequence}")
        position = Position(sequence, digest(payload))
        yield StoredGroup(sequence, payload, group)
    if position.sequence < last:
        raise LogDamaged(f"{store.name}: sequences {position.sequence + 1} to {last} are missing")


async def position_at(store: LogStore, sequence: int) -> Position:
    """The position at the group that stands at `sequence`; raises LogDamaged when there is none, AppendUnknown when nobody can say."""
    if not sequence:
        return Position()
    stands = await store.read(sequence)
    if stands is None:
        raise LogDamaged(f"{store.name}: sequence {sequence} is missing")
    return Position(sequence, digest(stands))


async def standing(store: LogStore, position: Position, what: str) -> bytes:
    """The group at `position`; raises LogDamaged when it is not there or another is, AppendUnknown. `what` says how it is known: "what …"."""
    stands = await store.read(position.sequence)
    if stands is None:
        raise LogDamaged(f"{store.name}: sequence {position.sequence} is missing: {what} stood there")
    if digest(stands) != position.digest:
        raise LogDamaged(f"{store.name}: sequence {position.sequence} is not {what}")
    return stands


class Appended(NamedTuple):
    """What an append's future gives: where the group stands, and the measure of its wait."""

    sequence: int
    records: int
    """In the whole group."""
    sent_ns: int
    """Unix nanoseconds when the group left; the time before that was spent waiting for the group ahead."""


class Measures:
    """What is measured of a log's appends."""

    def __init__(self, metrics: Metrics, name: str) -> None:
        self.duration = metrics.histogram(catalogue.APPEND_DURATION).of(name)
        self.wait = metrics.histogram(catalogue.APPEND_WAIT).of(name)
        self.records = metrics.histogram(catalogue.APPEND_RECORDS).of(name)
        self.unknown = metrics.counter(catalogue.APPEND_UNKNOWN).of(name)


class _Waiting(NamedTuple):
    """What one append brought, and who is to be told."""

    records: list[msgspec.Raw]
    done: asyncio.Future[Appended]
    handed_over: asyncio.Future[None] | None


def _fail(future: asyncio.Future[Any] | None, reason: LogError) -> None:
    if future is not None and not future.done():
        future.set_exception(reason)
        future.exception()  # seen: a term that ends fails many appends, and not each of them has somebody waiting


def _hand_over(members: list[_Waiting]) -> None:
    """Their group is in the connection's buffer: whoever waits for that goes on in a later turn of the loop."""
    for member in members:
        if member.handed_over is not None and not member.handed_over.done():
            member.handed_over.set_result(None)


class GroupLog:
    """The writer's end of a log during one term of office."""

    GROUP_RECORDS = 512
    RETRY_S = 0.1

    def __init__(
        self,
        store: LogStore,
        epoch: int,
        position: Position,
        *,
        now_ns: Callable[[], int],
        measures: Measures | None = None,
    ) -> None:
        self.store = store
        self.epoch = epoch
        self.position = position
        self.groups = 0
        self._now_ns = now_ns
        self._measures = measures or Measures(Metrics(), store.name)
        self._waiting: list[_Waiting] = []
        self._first_s = 0.0
        """When the first that waits began to (perf_counter); what a full group leaves behind counts from that group's first."""
        self._appended = self._durable = 0
        """Appends taken, and appends that are durable."""
        self._flushers: list[tuple[int, asyncio.Future[None]]] = []
        """Who waits for how many appends to be durable."""
        self._flushing: asyncio.Task[None] | None = None
        self._over: LogError | None = None
        self.on_end: Callable[[LogError], None] | None = None
        self.on_group: Callable[[bool], Callable[[Position], None] | None] | None = None
        """Called when a group is formed, with whether it holds all that is waiting; what it returns is called once the group stands."""

    @property
    def over(self) -> bool:
        """True once the term has ended."""
        return self._over is not None

    def append(
        self, records: Sequence[bytes], *, handed_over: asyncio.Future[None] | None = None
    ) -> asyncio.Future[Appended]:
        """Queues encoded records, to stand in one group; the future is done when they are durable, or has the error that ended the term.

        `handed_over` is done earlier: when the group has left for the broker, ahead of anything that is published after that.
        """
        future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        if self._over is not None:
            _fail(future, self._over)
            _fail(handed_over, self._over)
            return future
        if not self._waiting:
            self._first_s = time.perf_counter()
        self._waiting.append(_Waiting([msgspec.Raw(r) for r in records], future, handed_over))
        self._appended += 1
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return future

    async def flushed(self) -> None:
        """Returns when all that was appended before this call is durable; raises what ended the term."""
        if self._over is not None:
            raise self._over
        if self._durable < self._appended:
            # A future of its own: whoever appended may be cancelled, and its future with it, while the group is on its way.
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushers.append((self._appended, waiting))
            await waiting

    def end(self, reason: LogError) -> None:
        """Ends the term: every waiting append fails with `reason`, and so does every later one."""
        if self._over is not None:
            return
        self._over = reason
        if self._flushing is not None:
            self._flushing.cancel()
        for waiting in self._waiting:
            _fail(waiting.done, reason)
            _fail(waiting.handed_over, reason)
        self._waiting.clear()
        for _, flusher in self._flushers:
            _fail(flusher, reason)
        self._flushers.clear()
        if self.on_end is not None:
            self.on_end(reason)

    def _take(self) -> tuple[list[msgspec.Raw], list[_Waiting]]:
        records: list[msgspec.Raw] = []
        taken = 0
        for waiting in self._waiting:
            if records and len(records) + len(waiting.records) > self.GROUP_RECORDS:
                break
            records += waiting.records
            taken += 1
        members = self._waiting[:taken]
        del self._waiting[:taken]
        return records, members

    async def _flush(self) -> None:
        members: list[_Waiting] = []
        try:
            while self._waiting:
                records, members = self._take()
                stands = self.on_group(not self._waiting) if self.on_group is not None else None
                number = self.groups + 1
                group = Group(
                    log=self.store.name, epoch=self.epoch, number=number, prev=self.position.digest, records=records
                )
                payload = _encode(group)
                sent_ns = self._now_ns()
                content = digest(payload)
                # The content is in the id: two owners that start the same epoch at once must not pass for one another
                # in the broker's dedupe window, which would acknowledge the second one's group with the first one's sequence.
                message_id = f"{self.store.name}-{self.epoch}-{number}-{content[:16]}"
                handed_s = time.perf_counter()
                self._measures.wait.record(handed_s - self._first_s)
                sequence = await self._store(payload, message_id, partial(_hand_over, members))
                self._measures.duration.record(time.perf_counter() - handed_s)
                self._measures.records.record(len(records))
                self.groups = number
                self.position = Position(sequence, content)
                done = Appended(sequence, len(records), sent_ns)
                for member in members:
                    if not member.done.done():
                        member.done.set_result(done)
                self._wake_flushers(len(members))
                if stands is not None:
                    stands(self.position)
            self._flushing = None
        except BaseException as error:
            reason = (
                error
                if isinstance(error, LogError)
                else self._over or Fenced(f"{self.store.name}: {type(error).__name__}")
            )
            for member in members:
                _fail(member.done, reason)
                _fail(member.handed_over, reason)
            self._flushing = None
            self.end(reason)
            if not isinstance(error, LogError | asyncio.CancelledError):
                raise

    def _wake_flushers(self, members: int) -> None:
        self._durable += members
        for count, flusher in self._flushers:
            if count <= self._durable and not flusher.done():
                flusher.set_result(None)
        self._flushers = [(count, flusher) for count, flusher in self._flushers if count > self._durable]

    async def _store(self, payload: bytes, message_id: str, sent: Callable[[], None]) -> int:
        """Makes `payload` the group behind the current position, or finds out that another owner has; never gives up in between."""
        expected = self.position.sequence
        while True:
            try:
                sequence = await self.store.append(payload, expected=expected, message_id=message_id, sent=sent)
                if sequence != expected + 1:
                    raise LogDamaged(f"{self.store.name}: appended at {sequence}, expected {expected + 1}")
                return sequence
            except WrongSequence:
                if await self._landed(payload, expected + 1):
                    return expected + 1
            except AppendUnknown as error:
                self._measures.unknown.add()
                log.warning(
                    "append of unknown outcome, repeating it",
                    log=self.store.name,
                    sequence=expected + 1,
                    error=str(error),
                )
            await asyncio.sleep(self.RETRY_S)

    async def _landed(self, payload: bytes, sequence: int) -> bool:
        try:
            stands = await self.store.read(sequence)
        except AppendUnknown:
            return False
        if stands is None:
            await self._must_reach(sequence - 1)
            return False
        if stands == payload:
            return True
        raise Fenced(f"{self.store.name}: sequence {sequence} holds another owner's group")

    async def _must_reach(self, sequence: int) -> None:
        """The log refused our sequence and holds nothing behind it: either somebody's append is under way, or the log's end is gone."""
        log.warning("sequence refused, and nothing stands there", log=self.store.name, sequence=sequence + 1)
        try:
            last = await self.store.last_sequence()
        except AppendUnknown:
            return
        if last < sequence:
            raise LogDamaged(f"{self.store.name}: it ends at {last}, and {sequence} had been acknowledged")
