"""nats-py's client, with a shorter way for the messages of the path.

The library takes a message through a dictionary of headers, a queue and a task a subscription, and wakes a flushing task for each
publish. A transaction crosses that eight times. Here a subscription that is taken `directly` gets its messages from the parser, headers
as they came, and what is published in one turn of the loop leaves in one write. Everything else (JetStream's management, key-value
buckets, discovery) goes the library's own way, over the same connection and in the same order.

It leans on parts of nats-py that are not promised (`_ps`, `_pending`, `_flush_pending`, `_process_msg`): the lock pins the version, and
tests/integration/test_client.py tries each of them on a broker (ADR 0021).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import nats.errors
from nats.aio.client import Client
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
    """The broker's protocol (NATS client protocol: MSG, HMSG), whole messages at a time; the lines beside them go to the library's parser."""

    def __init__(self, client: PathClient) -> None:
        self._takers = client.takers
        self._rest = b""
        self._resets = 0
        super().__init__(client)

    def reset(self) -> None:
        """Called for a new connection: what was left of the old one is nothing's beginning."""
        self._rest = b""
        self._resets += 1
        super().reset()

    async def parse(self, data: bytes = b"") -> None:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        resets, at, size = self._resets, 0, len(data)
        while at < size:
            end = data.find(_END, at)
            if end < 0:
                if size - at > MAX_CONTROL_LINE_SIZE:
                    raise nats.errors.ProtocolError("nats: control line too long")
                break
            if data.startswith((b"MSG ", b"HMSG "), at):
                following = await self._message(data, at, end)
                if following < 0:
                    break
                at = following
            else:
                await super().parse(data[at : end + 2])
                at = end + 2
            if resets != self._resets:
                return
        self._rest = data[at:]

    async def _message(self, data: bytes, at: int, end: int) -> int:
        """Hands on the message whose control line ends at `end`; returns where the next begins, -1 when it is not there in full."""
        words = data[at:end].split()
        numbers = 2 if words[0] == b"HMSG" else 1  # how many stand at the end: of the headers, and in all
        if not 0 <= len(words) - 3 - numbers <= 1:
            raise nats.errors.ProtocolError("nats: malformed MSG")
        try:
            total, sid = int(words[-1]), int(words[2])
            header_size = int(words[-2]) if numbers == 2 else 0
        except ValueError:
            raise nats.errors.ProtocolError("nats: malformed MSG") from None
        reply = words[3] if len(words) - numbers == 4 else b""
        start = end + 2
        stop = start + total
        if len(data) < stop + 2:
            return -1
        body = start + header_size
        taker = self._takers.get(sid)
        if taker is None:
            header = data[start:body] if header_size else None
            await self.nc._process_msg(sid, words[1], reply, data[body:stop], header)
            return stop + 2
        try:
            taker(words[1].decode(), reply.decode(), data[start:body], data[body:stop])
        except Exception as error:  # one message's failure is not the connection's
            log.error("a message could not be taken", exc_info=error)
        return stop + 2


class PathClient(Client):
    """A connection whose direct subscriptions are called from the parser."""

    def __init__(self) -> None:
        super().__init__()
        self.takers: dict[int, Taker] = {}
        """By subscription number."""
        self._ps = _PathParser(self)
        self._leaving = False

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
