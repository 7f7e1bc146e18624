"""nats-py's client, with a shorter way for the messages of the path.

The library takes a message through a dictionary of headers, a queue and a task a subscription, and wakes a flushing task for each
publish. A transaction crosses that eight times. Here a subscription that is taken `directly` gets its messages in the call that brings them from
the socket, headers as they came, and what is published in one turn of the loop leaves in one write. Everything else (JetStream's management, key-value
buckets, discovery) goes the library's own way, over the same connection and in the same order.

It leans on parts of nats-py that are not promised (`_ps`, `_pending`, `_flush_pending`, `_process_msg`, `_read_loop`, `_pongs`): the lock pins it, and
tests/integration/test_client.py tries each of them on a broker (ADR 0021).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import nats.errors
from nats.aio.client import PING_PROTO, Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.protocol.parser import MAX_CONTROL_LINE_SIZE, Parser

from runtime import logs

log = logs.get("client")

Taker = Callable[[str, str, bytes, bytes], None]
"""Takes a message: subject, reply subject (empty: none), headers as they came (empty: none), data. It waits for nothing."""

_VERSION = "NATS/1.0"
_NO_RESPONDERS = b"NATS/1.0 503"
_END = b"\r\n"
_MESSAGES = (b"MSG ", b"HMSG ")
_STALLED_BYTES = 1 << 20
"""More than this unsent: the broker does not read, and publishing waits as the library has it wait."""


def header_block(headers: Mapping[str, str]) -> bytes:
    """Headers as they go on the line; ValueError for one that would break its line.

    >>> header_block({"traceparent": "00-01"})
    b'NATS/1.0\\r\\ntraceparent: 00-01\\r\\n\\r\\n'
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if lines.count("\r") != len(headers) or lines.count("\n") != len(headers):
        raise ValueError("a header holds a line's end")
    return f"{_VERSION}\r\n{lines}\r\n".encode()


def header_value(header: bytes, name: bytes) -> str:
    """The value of `name`, as it is spelled, in headers as they came; empty when it is not there.

    >>> header_value(b"NATS/1.0\\r\\na: 1\\r\\nb:2\\r\\n\\r\\n", b"b")
    '2'
    """
    at = header.find(b"\r\n" + name + b":")
    if at < 0:
        return ""
    start = at + len(name) + 3
    return header[start : header.find(_END, start)].decode("latin-1").strip()


def nobody_there(header: bytes, data: bytes) -> bool:
    """Whether an answer is the broker's word that nobody serves the subject."""
    return not data and header.startswith(_NO_RESPONDERS)


class _PathParser(Parser):
    """The broker's protocol (NATS client protocol: MSG, HMSG), whole messages at a time; what is not for a taker goes to the library's parser.

    Bytes come in one of two ways. While nothing but takers' messages arrives they are taken in the call that brings them from the socket. From
    the first thing on that is the library's, all goes through the stream's reader to its reading task, until that has caught up: the order stays.
    """

    def __init__(self, client: PathClient) -> None:
        self._client = client
        self._takers = client.takers
        self._reader: asyncio.StreamReader | None = None
        self._behind = False
        """Whether the library's reading task has bytes to read: then what arrives is to wait behind them."""
        self._rest = b""
        """The beginning of a message that has not come in full."""
        self._resets = 0
        super().__init__(client)

    def reset(self) -> None:
        """Called for a new connection: what was left of the old one is nothing's beginning."""
        self._rest = b""
        self._resets += 1
        super().reset()

    def attach(self, reader: asyncio.StreamReader) -> None:
        """From now on what arrives is looked at before it goes to `reader`."""
        self._reader, self._behind = reader, bool(reader._buffer)  # type: ignore[attr-defined]
        wait = reader.feed_data

        def arrived(data: bytes) -> None:
            if reader is not self._reader:  # a former connection's
                wait(data)
                return
            if self._behind or not self._client.is_connected:
                self._behind = True
                wait(data)
                return
            if self._rest:
                data = self._rest + data
                self._rest = b""
            at, whole = self._take(data, 0)
            if whole:
                self._behind = True
                wait(data[at:])
            else:
                self._rest = data[at:]

        reader.feed_data = arrived  # type: ignore[method-assign, assignment]  # typeshed wants any iterable of numbers

    async def parse(self, data: bytes = b"") -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        resets = self._resets
        at, whole = self._take(data, 0)
        while whole:
            at, whole = await self._pass_on(data, at)
            if resets != self._resets:
                return
            if whole:
                at, whole = self._take(data, at)
        self._rest = data[at:]
        self._behind = self._reader is not None and bool(self._reader._buffer)  # type: ignore[attr-defined]

    def _take(self, data: bytes, at: int) -> tuple[int, bool]:
        """Hands takers their messages from `at` on; returns up to where, and whether something begins there that is the library's: else
        nothing does, or something that has not come in full. Raises nothing."""
        while data.startswith(_MESSAGES, at):
            end = data.find(_END, at)
            if end < 0:
                return at, len(data) - at > MAX_CONTROL_LINE_SIZE  # the library says what is wrong with it
            try:
                sid, subject, reply, header_size, size = _control_line(data[at:end])
                taker = self._takers[sid]
            except (KeyError, ValueError):
                return at, True
            start = end + 2
            stop = start + size
            if len(data) < stop + 2:
                return at, False
            body = start + header_size
            try:
                taker(subject.decode(), reply.decode(), data[start:body], data[body:stop])
            except Exception as error:  # one message's failure is not the connection's
                log.error("a message could not be taken", exc_info=error)
            at = stop + 2
        return at, at < len(data)

    async def _pass_on(self, data: bytes, at: int) -> tuple[int, bool]:
        """One thing to the library: returns where it ends, and whether it was there in full; raises ProtocolError."""
        end = data.find(_END, at)
        if end < 0:
            if len(data) - at > MAX_CONTROL_LINE_SIZE:
                raise nats.errors.ProtocolError("nats: control line too long")
            return at, False
        if not data.startswith(_MESSAGES, at):
            await super().parse(data[at : end + 2])
            return end + 2, True
        try:
            sid, subject, reply, header_size, size = _control_line(data[at:end])
        except ValueError:
            raise nats.errors.ProtocolError("nats: malformed MSG") from None
        start = end + 2
        stop = start + size
        if len(data) < stop + 2:
            return at, False
        body = start + header_size
        await self.nc._process_msg(sid, subject, reply, data[body:stop], data[start:body] if header_size else None)
        return stop + 2, True


def _control_line(line: bytes) -> tuple[int, bytes, bytes, int, int]:
    """Subscription, subject, reply subject (empty: none), and the sizes: of the headers, and in all; raises ValueError.

    >>> _control_line(b"HMSG auth.v1.0 7 _INBOX.1 12 17"), _control_line(b"MSG a.b 8 5")
    ((7, b'auth.v1.0', b'_INBOX.1', 12, 17), (8, b'a.b', b'', 0, 5))
    """
    words = line.split()
    headers = words[0] == b"HMSG"
    match len(words) - headers:
        case 4:
            reply = b""
        case 5:
            reply = words[3]
        case _:
            raise ValueError
    return int(words[2]), words[1], reply, int(words[-2]) if headers else 0, int(words[-1])


class PathClient(Client):
    """A connection whose direct subscriptions are called from the parser."""

    def __init__(self) -> None:
        super().__init__()
        self.takers: dict[int, Taker] = {}
        """By subscription number."""
        self._ps = self._parser = _PathParser(self)
        self._leaving = False

    async def _read_loop(self) -> None:
        reader = getattr(self._transport, "_io_reader", None)
        if reader is not None:
            self._parser.attach(reader)
        await super()._read_loop()
        if self.is_connected:  # it has ended by an error of its own, which the library leaves at that: nobody would ever hear anything again
            await self._process_op_err(nats.errors.Error("the reading task has ended"))

    async def _process_op_err(self, e: Exception) -> None:
        """The connection is given up: also its socket, whose unsent bytes the library would wait for, a quarter of an hour if nobody takes them."""
        writer = self._writer()
        if writer is not None and self.is_connected:
            writer.transport.abort()
        await super()._process_op_err(e)

    async def _process_pong(self) -> None:
        """The library's, but for a PONG that comes when nobody waits for it any more: it ended the reading task."""
        if self._pongs:
            future = self._pongs.pop(0)
            if not future.done():
                future.set_result(True)
            self._pongs_received += 1
            self._pings_outstanding = 0

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        """Behind what was said before it, and not ahead: its answer says that the broker has taken all of that."""
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        self._pending.append(PING_PROTO)
        self._pending_data_size += len(PING_PROTO)
        await self._flush_pending()

    async def take(self, subject: str, taker: Taker, *, queue: str = "") -> Subscription:
        """Subscribes `taker`, which is called for each message before the next is read; it must not block."""

        async def early(message: Msg) -> None:  # a message that comes before the taker is known by its number
            taker(message.subject, message.reply, header_block(message.headers or {}), message.data)

        subscription = await self.subscribe(subject, queue=queue, cb=early)
        self.takers[subscription._id] = taker
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forgets a subscription, so that it is not taken again after a reconnection. The broker is told nothing."""
        self._remove_sub(subscription._id)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        if max_msgs == 0:
            self.takers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    def send(self, subject: str, data: bytes, *, reply: str = "", header: bytes = b"") -> None:
        """Publishes in this turn of the loop, behind all that was published before; raises what `publish` does. `header` is a block."""
        if self.is_closed:
            raise nats.errors.ConnectionClosedError
        if self.is_draining_pubs:
            raise nats.errors.ConnectionDrainingError
        if not self.is_connected:
            raise nats.errors.OutboundBufferLimitError
        if len(data) > self._max_payload:
            raise nats.errors.MaxPayloadError
        _refuse_spaces(subject)
        _refuse_spaces(reply)
        size = len(data)
        if header:
            line = f"HPUB {subject} {reply} {len(header)} {len(header) + size}\r\n".encode()
            command = b"".join((line, header, data, _END))
        else:
            command = b"".join((f"PUB {subject} {reply} {size}\r\n".encode(), data, _END))
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += size
        self._pending.append(command)
        self._pending_data_size += len(command)
        self._leave_soon()

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        """The library's own commands leave the same way, so that all stay in one order."""
        if force_flush or not self.is_connected or self._unsent() > _STALLED_BYTES:
            return await super()._flush_pending(force_flush)
        self._leave_soon()
        return None

    def _leave_soon(self) -> None:
        if not self._leaving:
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._leaving = False
        writer = self._writer()
        if writer is None or not self._pending or not self.is_connected:
            return
        pending, self._pending, self._pending_data_size = self._pending, [], 0
        writer.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def _writer(self) -> asyncio.StreamWriter | None:
        return cast("asyncio.StreamWriter | None", getattr(self._transport, "_io_writer", None))

    def _unsent(self) -> int:
        writer = self._writer()
        return 0 if writer is None else writer.transport.get_write_buffer_size()


def _refuse_spaces(subject: str) -> None:
    """A subject with white space in it would be read as two words of the command."""
    if subject and (not subject.isprintable() or " " in subject):
        raise nats.errors.BadSubjectError
