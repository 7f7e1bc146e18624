"""Reading streams: their state, and their messages one by one, from the stream's leader (JetStream API, STREAM.INFO and STREAM.MSG.GET);
and how a consumer of theirs is (CONSUMER.INFO).

No consumer is made: nobody but provisioning may (rights). Many questions in flight at once make up for that; a log is read as fast as
the client's ordered consumer reads it. Never by direct get: those answers were stale.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from runtime.bus import Answer, Bus
from runtime.bus_errors import NoAnswer

READ_TIMEOUT_S = 2.0
READ_TRIES = 2
"""A question that only reads is asked again when nobody answers: one that is lost would cost a new owner all of its replay."""
AHEAD = 64
"""Messages asked for before the first of them has come."""

_API = "$JS.API."
_NOT_FOUND = 404
_STATUS_LINE = b"NATS/1.0"


class ApiError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class State(msgspec.Struct):
    """What a stream holds."""

    messages: int = 0
    first_seq: int = 0
    last_seq: int = 0

    @property
    def gapless(self) -> bool:
        return self.messages == self.last_seq - self.first_seq + 1


class StoredMessage(msgspec.Struct):
    """One message as it stands in its stream."""

    subject: str
    seq: int
    """Its sequence."""
    data: bytes = b""
    hdrs: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """As they were sent: the status line, and a line for each header."""
        lines = self.hdrs.decode(errors="surrogateescape").removeprefix(_STATUS_LINE.decode()).split("\r\n")
        return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


class _Config(msgspec.Struct):
    name: str = ""


class _Info(msgspec.Struct):
    config: _Config = msgspec.field(default_factory=_Config)
    state: State = msgspec.field(default_factory=State)
    error: ApiError | None = None


class _Page(msgspec.Struct):
    streams: list[_Info] | None = None
    total: int = 0
    error: ApiError | None = None


class _Consumer(msgspec.Struct):
    num_redelivered: int = 0
    error: ApiError | None = None


class _Got(msgspec.Struct):
    message: StoredMessage | None = None
    error: ApiError | None = None


_info = msgspec.json.Decoder(_Info).decode
_page = msgspec.json.Decoder(_Page).decode
_consumer = msgspec.json.Decoder(_Consumer).decode
_got = msgspec.json.Decoder(_Got).decode


async def state_of(bus: Bus, stream: str) -> State:
    """Raises NotDelivered or NoAnswer."""
    answer = _info(await _ask(bus, f"STREAM.INFO.{stream}", b""))
    _raise_for(answer.error, stream)
    return answer.state


async def states(bus: Bus) -> dict[str, State]:
    """All streams by name, empty ones too; raises NotDelivered or NoAnswer."""
    found: dict[str, State] = {}
    while True:
        page = _page(await _ask(bus, "STREAM.LIST", msgspec.json.encode({"offset": len(found)})))
        _raise_for(page.error, "streams")
        found |= {info.config.name: info.state for info in page.streams or ()}
        if not page.streams or len(found) >= page.total:
            return dict(sorted(found.items()))


async def redelivered(bus: Bus, stream: str, durable: str) -> int:
    """Messages that a durable consumer has delivered again and that are not acknowledged yet; raises NotDelivered or NoAnswer."""
    answer = _consumer(await _ask(bus, f"CONSUMER.INFO.{stream}.{durable}", b""))
    _raise_for(answer.error, durable)
    return answer.num_redelivered


async def message_at(bus: Bus, stream: str, sequence: int) -> StoredMessage | None:
    """The message at `sequence`, None when there is none; raises NotDelivered or NoAnswer."""
    return await _get(bus, stream, b'{"seq":%d}' % sequence)


async def message_from(bus: Bus, stream: str, sequence: int) -> StoredMessage | None:
    """The first message at or behind `sequence`, None when there is none; raises NotDelivered or NoAnswer."""
    return await _get(bus, stream, b'{"seq":%d,"next_by_subj":">"}' % sequence)


async def messages(bus: Bus, stream: str, first: int, last: int) -> AsyncIterator[StoredMessage]:
    """The messages from `first` to `last`, both included, in order; those that are not there are left out. Raises NotDelivered or NoAnswer.

    For streams without many gaps: each sequence is asked for.
    """
    # Futures and not tasks: a new owner reads all of a log, and a task for each message was a third of what that took.
    asked: deque[asyncio.Future[Answer]] = deque()
    subject, following = f"{_API}STREAM.MSG.GET.{stream}", first
    try:
        while following <= last or asked:
            while following <= last and len(asked) < AHEAD:
                asked.append(bus.question(subject, b'{"seq":%d}' % following, READ_TIMEOUT_S))
                following += 1
            sequence = following - len(asked)
            try:
                data = (await asked.popleft()).data
            except NoAnswer:
                data = b""
            message = _message(data, stream) if data else await message_at(bus, stream, sequence)
            if message is not None:
                yield message
    finally:
        for future in asked:
            if not future.cancel():
                future.exception()  # seen: it came when nobody waited for it any more


async def messages_behind(bus: Bus, stream: str, sequence: int) -> AsyncIterator[StoredMessage]:
    """What stands behind `sequence` at this moment, in order, however many gaps there are; raises NotDelivered or NoAnswer."""
    state = await state_of(bus, stream)
    first = max(state.first_seq, sequence + 1)
    if state.gapless:
        async for message in messages(bus, stream, first, state.last_seq):
            yield message
        return
    while first <= state.last_seq:
        following = await message_from(bus, stream, first)
        if following is None or following.seq > state.last_seq:
            return  # what was left has expired, or was put again
        yield following
        first = following.seq + 1


async def every_message(bus: Bus) -> AsyncIterator[tuple[str, StoredMessage]]:
    """(stream, message) of all that the broker keeps, what each stream held when its turn came; raises NotDelivered or NoAnswer.

    Logs, key-value buckets and object stores are all streams.
    """
    for stream in await states(bus):
        async for message in messages_behind(bus, stream, 0):
            yield stream, message


async def _get(bus: Bus, stream: str, question: bytes) -> StoredMessage | None:
    return _message(await _ask(bus, f"STREAM.MSG.GET.{stream}", question), stream)


def _message(data: bytes, stream: str) -> StoredMessage | None:
    """Of an answer; raises NoAnswer where it is none."""
    answer = _got(data)
    if answer.error is not None and answer.error.code == _NOT_FOUND:
        return None
    _raise_for(answer.error, stream)
    return answer.message


async def _ask(bus: Bus, operation: str, question: bytes) -> bytes:
    for left in reversed(range(READ_TRIES)):
        try:
            message = await bus.exchange(f"{_API}{operation}", question, b"", READ_TIMEOUT_S)
        except NoAnswer:
            if not left:
                raise
            continue
        if message.data:
            return message.data
        break
    raise NoAnswer(f"{operation}: JetStream does not answer")  # "no responders"


def _raise_for(error: ApiError | None, what: str) -> None:
    if error is not None:
        raise NoAnswer(f"{what}: {error.err_code} {error.description}")
