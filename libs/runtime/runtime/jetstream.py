"""LogStore on a JetStream stream, and the buckets. The one append function of the project is here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import msgspec
import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.kv import KV_OP, KeyValue

from runtime import streams
from runtime.bus import Bus
from runtime.bus_errors import BusError, NoAnswer, NotDelivered, NotPermitted
from runtime.client import header_block
from runtime.log import NOTED_EVERY, AppendUnknown, LogDamaged, WrongSequence, position_at, read_groups, unheard
from runtime.rights import bucket_stream, bucket_subject

APPEND_TIMEOUT_S = 2.0
BUCKET_TIMEOUT_S = 2.0
BUCKET_PATIENCE_S = 60.0
STANDS_STILL_S = 6.0
"""A lease that lives has been renewed by then, and one that does not has run out: three times its time to live."""

WRONG_LAST_SEQUENCE = 10071
HEAD_START_S = 1.0
"""When the broker answers again, whoever held a lease gets this long to renew it before another takes it: twice the time between renewals."""
READERS = 64
"""Places of a bucket that are read from at once."""


class _Ack(msgspec.Struct):
    """A publish acknowledgement (JetStream API, pub_ack_response)."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: streams.ApiError | None = None


_ack = msgspec.json.Decoder(_Ack).decode


async def _nobody(_: int, __: str, ___: bool) -> None:
    """Hears how far a stream has been read."""


class JetStreamLog:
    """One stream that holds one subject. Reads come from the stream's leader, never by direct get: those were stale."""

    def __init__(self, bus: Bus, stream: str, subject: str) -> None:
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._checked = bus.reconnections
        """How often the connection had been restored when the stream was last seen to reach as far as it must."""
        self._read_at = bus.broker
        """The broker from which all of the stream has been read since it started, or is being read."""
        self._reading: asyncio.Task[None] | None = None
        self._damage: LogDamaged | None = None
        self.on_read: Callable[[int, str, bool], Awaitable[None]] = _nobody
        """Told, after a start of the broker, up to where all has been read from it beside the work, which one it is, and whether that is
        all that it had when the reading began."""

    @property
    def name(self) -> str:
        return self._subject

    async def last_sequence(self) -> int:
        with _unknown():
            state = await streams.state_of(self._bus, self._stream)
        if state.last_seq and not (state.first_seq == 1 and state.gapless):
            raise LogDamaged(
                f"{self._stream}: {state.messages} messages, sequences {state.first_seq} to {state.last_seq}"
            )
        return state.last_seq

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        if self._bus.reconnections != self._checked:
            await self._look_again(expected)
        if self._damage is not None:
            raise self._damage
        header = header_block(
            {
                "Nats-Expected-Stream": self._stream,
                "Nats-Expected-Last-Sequence": str(expected),
                "Nats-Msg-Id": message_id,
            }
        )
        try:
            answer = await self._bus.exchange(self._subject, payload, header, APPEND_TIMEOUT_S, sent=sent)
        except BusError as error:
            raise AppendUnknown(type(error).__name__) from None
        if not answer.data:
            raise AppendUnknown("no stream answers")
        ack = _ack(answer.data)
        if ack.error is None:
            return ack.seq
        if ack.error.err_code == WRONG_LAST_SEQUENCE:
            raise WrongSequence(ack.error.description)
        # 10158, 10164: another message is in flight there; 10201 and the rest: nobody can say. All are answered by looking again.
        raise AppendUnknown(f"{ack.error.err_code} {ack.error.description}")

    def found_whole(self, broker: str) -> None:
        self._stand_on(broker)

    def _stand_on(self, broker: str) -> None:
        # Of one that was started while the former was read nobody knows anything: then the next append looks again.
        self._checked, self._read_at = self._bus.reconnections if broker == self._bus.broker else -1, broker

    def read_beside(self, after: int, last: int, broker: str) -> None:
        self._stand_on(broker)
        if self._reading is not None:
            self._reading.cancel()
        self._reading = asyncio.create_task(self._read_all(after, last, broker))

    async def _look_again(self, expected: int) -> None:
        """A broker that is started again and finds a damaged file drops what follows without a word: nothing is appended before the stream
        is seen to reach as far as it must. Or it notices damage only when that is read: then all of it is read, beside the work, for the
        owner's memory is whole, and a long log takes seconds. Raises LogDamaged, AppendUnknown."""
        restored, broker = self._bus.reconnections, self._bus.broker
        if (last := await self.last_sequence()) < expected:
            raise LogDamaged(f"{self._stream}: it ends at {last}, and {expected} had been acknowledged")
        if broker != self._read_at:
            self.read_beside(0, last, broker)
        self._checked = restored

    async def _read_all(self, after: int, last: int, broker: str) -> None:
        try:
            await self.on_read(after, broker, False)
            async for group in read_groups(self, await position_at(self, after), last):
                if group.sequence % 64 == 0:
                    await asyncio.sleep(0)  # whoever sells comes first
                if group.sequence % NOTED_EVERY == 0:
                    await self.on_read(group.sequence, broker, False)
            await self.on_read(last, broker, True)
        except LogDamaged as error:
            self._damage = error
        except AppendUnknown:
            self._read_at, self._checked = "", -1  # from the beginning, with the next append

    async def read(self, sequence: int) -> bytes | None:
        with _unknown():
            message = await streams.message_at(self._bus, self._stream, sequence)
        return None if message is None else message.data

    async def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        with _unknown():
            async for message in streams.messages(self._bus, self._stream, sequence, last):
                yield message.seq, message.data


@contextlib.contextmanager
def _unknown() -> Iterator[None]:
    """What a log's user has to conclude when the broker does not say."""
    try:
        yield
    except BusError as error:
        raise AppendUnknown(str(error)) from None


class Lease:
    """A key that expires unless renewed (bucket TTL). It says who may try; nothing correct rests on it."""

    def __init__(self, bucket: KeyValue, key: str, owner: str) -> None:
        self._bucket = bucket
        self._key = key
        self._owner = f"{owner} {os.urandom(8).hex()}".encode()
        """Of this process alone: its successor may bear the same name."""
        self._revision = 0
        self._seen, self._seen_at = 0, 0.0
        """The revision in another's hand, and since when (monotonic)."""
        self._unheard, self._heard_s = False, -HEAD_START_S
        """Whether the last question was left without an answer, and since when they are answered again (monotonic)."""

    async def take(self) -> bool:
        """True when it is ours now, False when another has it; raises NoAnswer when nobody can say, or nobody renews it and it stays."""
        with self._asked():
            held = await self._held()
        if held is not None:
            return held
        raise NoAnswer(f"lease {self._key}: nobody renews it, and it does not run out: the broker does not write")

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        """Raises NoAnswer when nobody can say, and remembers when it was so last."""
        try:
            yield
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            self._unheard = True
            raise NoAnswer(f"lease {self._key}: {type(error).__name__}") from None
        if self._unheard:
            self._unheard, self._heard_s = False, time.monotonic()

    async def _held(self) -> bool | None:
        """Whether we hold it now; None when it stands still in another's hand."""
        try:
            entry = await self._bucket.get(self._key)
        except nats.js.errors.KeyNotFoundError as error:
            free = error.entry.revision if error.entry is not None else 0  # a lease that was released leaves a mark
        else:
            now, revision = time.monotonic(), entry.revision or 0
            if revision != self._seen:
                self._seen, self._seen_at = revision, now
            # A broker whose disk is full answers reads, and takes nothing away either: not even what has run out.
            return None if now - self._seen_at > STANDS_STILL_S else False
        if self._unheard or time.monotonic() - self._heard_s < HEAD_START_S:
            return False  # it ran out while the broker was away: its holder could not renew it
        return await self._put(free)

    async def _put(self, revision: int) -> bool:
        """Whether our name stands there now, behind `revision`."""
        try:
            self._revision = await self._bucket.update(self._key, self._owner, last=revision)
        except nats.js.errors.KeyWrongLastSequenceError:
            return False  # another was faster
        return True

    async def _put_or_look(self) -> bool | None:
        """`_put` behind our last renewal; None when it was not answered and the broker does answer."""
        try:
            return await self._put(self._revision)
        except TimeoutError:
            await self._bucket.get(self._key)
            return None

    async def renew(self) -> bool:
        """False when another holds it, or the broker answers and does not write; raises NoAnswer when it does not answer: then nobody else can
        have it either.

        One that ran out while the broker was away, and that nobody has taken since, is ours again.
        """
        with self._asked():
            written = await self._put_or_look()
            if written is None:  # the first may have been lost with a connection; two in a row are a full disk
                written = await self._put_or_look()
            if written is None or written:
                return bool(written)
            try:
                entry = await self._bucket.get(self._key)
            except nats.js.errors.KeyNotFoundError as error:
                return await self._put(error.entry.revision or 0 if error.entry is not None else 0)
            if entry.value != self._owner:
                return False
            self._revision = entry.revision or 0  # a renewal that had landed, though nobody could say so
            return True

    async def release(self) -> None:
        """Lets the next one in at once. When it cannot be said, the lease runs out by itself."""
        try:
            await self._bucket.delete(self._key, last=self._revision)
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError):
            return


class Bucket:
    """A durable map of small values. Each call raises NoAnswer when nobody can say."""

    def __init__(self, bucket: KeyValue, js: JetStreamContext, name: str) -> None:
        self._bucket = bucket
        self._js = js
        self._stream = bucket_stream(name)
        self._prefix = bucket_subject(name, "")

    async def get(self, key: str) -> bytes | None:
        """The last value put, None when there is none; raises NoAnswer when nobody can say."""
        try:
            return (await self._bucket.get(key)).value
        except nats.js.errors.KeyNotFoundError:
            return None
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"bucket: {type(error).__name__}") from None

    async def put(self, key: str, value: bytes) -> None:
        """Returns when the value is durable; raises NoAnswer when nobody can say."""
        try:
            await self._bucket.put(key, value)
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"bucket: {type(error).__name__}") from None

    async def delete(self, key: str) -> None:
        try:
            await self._bucket.delete(key)
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"bucket: {type(error).__name__}") from None

    async def get_entry(self, key: str) -> tuple[bytes, int] | None:
        """The last value put and its revision, None when there is none."""
        try:
            entry = await self._bucket.get(key)
        except nats.js.errors.KeyNotFoundError:
            return None
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"bucket: {type(error).__name__}") from None
        return entry.value or b"", entry.revision or 0

    async def update(self, key: str, value: bytes, revision: int) -> int | None:
        """Puts the value if `revision` is still the key's (0: there is none). Its revision, once it is durable; None: another has written."""
        try:
            return await self._bucket.update(key, value, last=revision)
        except nats.js.errors.KeyWrongLastSequenceError:
            return None
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"bucket: {type(error).__name__}") from None

    async def changes(self, after: int) -> tuple[list[tuple[str, bytes, int]], int]:
        """The values put behind revision `after`, as (key, value, revision), and the revision up to which that is all.

        One question when there is nothing new; else the messages one by one, from several places at once. No consumer is made, and no
        watch: those were deaf after a broker's restart. Of a key that was put several times only the last value is there; deleted keys
        are not shown.
        """
        try:
            last = (await self._js.stream_info(self._stream)).state.last_seq
            width = max(1, -(-(last - after) // READERS))
            starts = range(after + 1, last + 1, width)
            parts = await asyncio.gather(*(self._between(start, min(start + width - 1, last)) for start in starts))
        except (nats.js.errors.APIError, nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"bucket: {type(error).__name__}") from None
        return [row for part in parts for row in part], last

    async def _between(self, first: int, last: int) -> list[tuple[str, bytes, int]]:
        """The values whose revisions lie between the two, both included."""
        found: list[tuple[str, bytes, int]] = []
        while first <= last:
            try:
                message = await self._js.get_msg(self._stream, seq=first, subject=">", next=True)
            except nats.js.errors.NotFoundError:
                break
            sequence, subject = message.seq or 0, message.subject or ""
            if sequence > last:
                break
            if not (message.headers and KV_OP in message.headers):
                found.append((subject[len(self._prefix) :], message.data or b"", sequence))
            first = sequence + 1
        return found


async def open_bucket(bus: Bus, name: str) -> Bucket:
    """A bucket that provisioning has made; waits for it up to a minute. Raises NotDelivered, and NotPermitted when it is another's."""
    return Bucket(await _key_value(bus, name), bus.client.jetstream(timeout=BUCKET_TIMEOUT_S), name)


async def open_lease(bus: Bus, bucket: str, key: str, owner: str) -> Lease:
    return Lease(await _key_value(bus, bucket), key, owner)


async def _key_value(bus: Bus, name: str) -> KeyValue:
    stream = bucket_stream(name)
    give_up = time.monotonic() + BUCKET_PATIENCE_S
    while True:
        try:
            await streams.state_of(bus, stream)
        except NotPermitted:
            raise
        except BusError as error:
            if time.monotonic() > give_up:
                raise NotDelivered(f"bucket {name} is not there: has the provisioning step run? ({error})") from None
            await asyncio.sleep(0.2)
        else:
            js = bus.client.jetstream(timeout=BUCKET_TIMEOUT_S)
            return KeyValue(name=name, stream=stream, pre=bucket_subject(name, ""), js=js, direct=False)
