"""JetStream: appends, questions about streams and consumers, and the pull consumers' deliveries (JetStream API, `$JS.API.>`)."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from simulation.broker.pulls import Pulls
from simulation.broker.streams import Consumer, Message, Refused, Store, Stream
from simulation.broker.traps import ERRORS, KILLS, LANDS, UNHEARD, Trap, Traps

STREAM_NOT_FOUND, CONSUMER_NOT_FOUND, MESSAGE_NOT_FOUND = (404, 10059), (404, 10014), (404, 10037)
WRONG_LAST_SEQUENCE = 10071
STREAM_NAME_IN_USE = (400, 10058)
UNAVAILABLE = 10201
STALE_S = 0.02
"""How far a direct get may be behind."""
_TYPE = "io.nats.jetstream.api.v1."
_CREATED = "2026-01-01T00:00:00Z"


class Line(Protocol):
    """The broker, as far as it is used here."""

    told: Callable[[str, str, bytes], None]

    def deliver(self, to: str, subject: str, reply: str, header: bytes, data: bytes) -> bool: ...

    def answer(self, reply: str, answer: Any) -> None: ...


def _error(code: int, error: int, description: str) -> dict[str, Any]:
    return {"error": {"code": code, "err_code": error, "description": description}}


class JetStream:
    """One life of it over a store."""

    def __init__(self, store: Store, line: Line, traps: Traps) -> None:
        self.store = store
        self.traps = traps
        self.pulls = Pulls(line)
        self._line = line
        self._free_s: dict[str, float] = {}
        """Stream → when its disk has done what was given to it."""
        self._operations: dict[tuple[str, ...], Callable[[list[str], bytes], dict[str, Any]]] = {
            ("STREAM", "INFO"): self._stream_info,
            ("STREAM", "CREATE"): self._stream_create,
            ("STREAM", "LIST"): self._stream_list,
            ("STREAM", "MSG", "GET"): self._message_get,
            ("CONSUMER", "INFO"): self._consumer_info,
            ("CONSUMER", "DURABLE", "CREATE"): self._consumer_create,
            ("CONSUMER", "DELETE"): self._consumer_delete,
        }

    # ------------------------------------------------------------------ appends

    def published(self, subject: str, reply: str, header: bytes, data: bytes) -> bool:
        """Whether a stream takes the subject; then it is appended when the disk has done what came before."""
        stream = self.store.stream_for(subject)
        if stream is None:
            return False
        loop = asyncio.get_running_loop()
        free_s = max(loop.time(), self._free_s.get(stream.name, 0.0)) + self.traps.sync_s()
        self._free_s[stream.name] = free_s
        loop.call_at(free_s, self._append, stream, subject, reply, header, data)
        return True

    def _append(self, stream: Stream, subject: str, reply: str, header: bytes, data: bytes) -> None:
        trap = self.traps.take(stream.name)
        if trap is not None:
            self._line.told("trap", f"{stream.name}: {trap.name}: {trap.value}", data)
        if trap in KILLS:
            self.traps.kill_owner(stream.name)
        if trap in (Trap.LATE, Trap.DIES_LATE):
            late = self.traps.late_s()
            asyncio.get_running_loop().call_later(late, self._land, stream, subject, "", header, data, None)
        elif trap is None or trap in LANDS:
            self._land(stream, subject, reply, header, data, trap)
        elif trap not in UNHEARD:
            error, description = ERRORS[trap]
            self._line.answer(reply, _error(503 if error == UNAVAILABLE else 400, error, description))

    def _land(self, stream: Stream, subject: str, reply: str, header: bytes, data: bytes, trap: Trap | None) -> None:  # noqa: PLR0917 - a message and its trap
        answer: dict[str, Any]
        try:
            stored = stream.store(subject, header, data, time.time_ns())
        except Refused as refused:
            self._line.told("append", f"{stream.name} refused: {refused.description}", data)
            answer = _error(refused.code, refused.error, refused.description)
        else:
            self._line.told("append", f"{stream.name} {stored.sequence}{' again' if stored.duplicate else ''}", data)
            answer = {"stream": stream.name, "seq": stored.sequence}
            if stored.duplicate:
                answer["duplicate"] = True
            elif trap is None and reply:
                stream.acknowledged[stored.sequence] = data
            self.pulls.wake(stream)
        if trap in UNHEARD:
            return
        if trap is Trap.STALE_REFUSAL:
            answer = _error(400, WRONG_LAST_SEQUENCE, f"wrong last sequence: {stream.last}")
        elif trap is not None:
            error, description = ERRORS[trap]
            answer = _error(400, error, description)
        self._line.answer(reply, answer)

    # ------------------------------------------------------------------ questions

    def asked(self, subject: str, reply: str, header: bytes, data: bytes) -> bool:
        """A subject below `$JS.`; False for one that nobody knows."""
        if subject.startswith("$JS.ACK."):
            self._acknowledged(subject.split("."), data)
            return True
        words = subject.removeprefix("$JS.API.").split(".")
        if words[:3] == ["CONSUMER", "MSG", "NEXT"]:
            consumer = self._consumer(words[3], words[4])
            if consumer is None:
                return False
            self.pulls.asked(*consumer, reply, msgspec.json.decode(data) if data else {})
            return True
        if words[:2] == ["DIRECT", "GET"]:
            return self._direct_get(words[2:], reply, data)
        for name, operation in self._operations.items():
            if tuple(words[: len(name)]) == name:
                self._line.answer(reply, operation(words[len(name) :], data))
                return True
        return False

    def _consumer(self, stream: str, name: str) -> tuple[Stream, Consumer] | None:
        found = self.store.streams.get(stream)
        consumer = found.consumers.get(name) if found is not None else None
        return (found, consumer) if found is not None and consumer is not None else None

    def _acknowledged(self, words: list[str], data: bytes) -> None:
        """`$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…`"""
        found = self._consumer(words[2], words[3])
        if found is not None and data in (b"", b"+ACK"):
            found[1].acknowledge(int(words[5]))
            self.pulls.wake(found[0])

    def _stream(self, name: str) -> Stream | None:
        stream = self.store.streams.get(name)
        if stream is not None:
            stream.expire(time.time_ns())
        return stream

    def _stream_info(self, words: list[str], _: bytes) -> dict[str, Any]:
        stream = self._stream(words[0])
        return _info(stream) if stream is not None else _error(*STREAM_NOT_FOUND, "stream not found")

    def _stream_list(self, _: list[str], data: bytes) -> dict[str, Any]:
        offset = (msgspec.json.decode(data) if data else {}).get("offset", 0)
        everything = [_info(stream) for stream in self.store.streams.values()]
        return {"type": f"{_TYPE}stream_list_response", "total": len(everything), "streams": everything[offset:]}

    def _stream_create(self, words: list[str], data: bytes) -> dict[str, Any]:
        config = msgspec.json.decode(data)
        known = self.store.streams.get(words[0])
        if known is not None and known.config != config:
            return _error(*STREAM_NAME_IN_USE, "stream name already in use with a different configuration")
        if known is None:
            known = self.store.streams[words[0]] = Stream(config)
        return {**_info(known), "type": f"{_TYPE}stream_create_response"}

    def _message_get(self, words: list[str], data: bytes) -> dict[str, Any]:
        stream = self._stream(words[0])
        if stream is None:
            return _error(*STREAM_NOT_FOUND, "stream not found")
        message = _found(stream, msgspec.json.decode(data))
        if message is None:
            return _error(*MESSAGE_NOT_FOUND, "no message found")
        row: dict[str, Any] = {
            "subject": message.subject,
            "seq": message.sequence,
            "data": base64.b64encode(message.data).decode(),
            "time": _CREATED,
        }
        if message.header:
            row["hdrs"] = base64.b64encode(message.header).decode()
        return {"type": f"{_TYPE}stream_msg_get_response", "message": row}

    def _direct_get(self, words: list[str], reply: str, data: bytes) -> bool:
        """From any replica, and so possibly of a moment ago: what is younger than STALE_S is not seen (reliability rules, 1)."""
        stream = self._stream(words[0])
        if stream is None or not stream.config.get("allow_direct"):
            return False
        asked = msgspec.json.decode(data) if data else {"last_by_subj": ".".join(words[1:])}
        message = _found(stream, asked)
        if message is None or time.time_ns() - message.time_ns < STALE_S * 1e9:
            self._line.deliver(reply, reply, "", b"NATS/1.0 404 Message Not Found\r\n\r\n", b"")
            return True
        lines = (
            f"Nats-Stream: {stream.name}\r\nNats-Subject: {message.subject}\r\nNats-Sequence: {message.sequence}\r\n"
        )
        self._line.deliver(reply, reply, "", f"NATS/1.0\r\n{lines}\r\n".encode(), message.data)
        return True

    def _consumer_create(self, words: list[str], data: bytes) -> dict[str, Any]:
        stream = self.store.streams.get(words[0])
        if stream is None:
            return _error(*STREAM_NOT_FOUND, "stream not found")
        consumer = stream.consumers.setdefault(words[1], Consumer(msgspec.json.decode(data)["config"]))
        return {**self._told_of(stream, consumer), "type": f"{_TYPE}consumer_create_response"}

    def _consumer_info(self, words: list[str], _: bytes) -> dict[str, Any]:
        found = self._consumer(words[0], words[1])
        return self._told_of(*found) if found is not None else _error(*CONSUMER_NOT_FOUND, "consumer not found")

    def _consumer_delete(self, words: list[str], _: bytes) -> dict[str, Any]:
        found = self._consumer(words[0], words[1])
        if found is None:
            return _error(*CONSUMER_NOT_FOUND, "consumer not found")
        del found[0].consumers[words[1]]
        self.pulls.gone(found[1])
        return {"type": f"{_TYPE}consumer_delete_response", "success": True}

    def _told_of(self, stream: Stream, consumer: Consumer) -> dict[str, Any]:
        return {
            "type": f"{_TYPE}consumer_info_response",
            "stream_name": stream.name,
            "name": consumer.name,
            "created": _CREATED,
            "config": consumer.config,
            "delivered": {"consumer_seq": consumer.delivered, "stream_seq": consumer.next - 1},
            "ack_floor": {"consumer_seq": consumer.floor, "stream_seq": consumer.floor},
            "num_ack_pending": len(consumer.pending),
            "num_redelivered": sum(1 for pending in consumer.pending.values() if pending.deliveries > 1),
            "num_waiting": self.pulls.waiting(consumer),
            "num_pending": max(stream.last - consumer.next + 1, 0),
        }


def _found(stream: Stream, asked: dict[str, Any]) -> Message | None:
    if (subject := asked.get("last_by_subj")) is not None:
        return stream.messages.get(stream.last_by_subject.get(subject, 0))
    if (pattern := asked.get("next_by_subj")) is not None:
        return stream.following(asked.get("seq") or 1, pattern)
    return stream.messages.get(asked.get("seq") or 0)


def _info(stream: Stream) -> dict[str, Any]:
    return {
        "type": f"{_TYPE}stream_info_response",
        "config": stream.config,
        "created": _CREATED,
        "state": {
            "messages": len(stream.messages),
            "bytes": sum(len(message.data) for message in stream.messages.values()),
            "first_seq": stream.first,
            "last_seq": stream.last,
            "consumer_count": len(stream.consumers),
        },
    }
