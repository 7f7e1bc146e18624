"""The pull consumers' requests and deliveries (JetStream API, CONSUMER.MSG.NEXT), with duplicates and disorder on demand."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from simulation.broker.streams import Consumer, Message, Pending, Stream

_NO_MESSAGES = b"NATS/1.0 404 No Messages\r\n\r\n"
_TIMEOUT = b"NATS/1.0 408 Request Timeout\r\n\r\n"
_CONSUMER_DELETED = b"NATS/1.0 409 Consumer Deleted\r\n\r\n"


class Line(Protocol):
    def deliver(self, to: str, subject: str, reply: str, header: bytes, data: bytes) -> bool: ...


class _Request:
    """A pull request that waits."""

    def __init__(self, reply: str, batch: int) -> None:
        self.reply = reply
        self.batch = batch
        self.over = False


class Pulls:
    """The requests of one life of the broker."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting: dict[Consumer, list[_Request]] = {}
        self.disorder: dict[str, int] = {}
        """Consumer → deliveries of which each two change places."""

    def waiting(self, consumer: Consumer) -> int:
        return len(self._waiting.get(consumer, ()))

    def asked(self, stream: Stream, consumer: Consumer, reply: str, asked: dict[str, Any]) -> None:
        """A request: `batch` messages, at once (`no_wait`) or within `expires` nanoseconds."""
        request = _Request(reply, asked.get("batch") or 1)
        self._due_again(consumer)
        self._serve(stream, consumer, request)
        if request.over:
            return
        if asked.get("no_wait"):
            self._say(request, _NO_MESSAGES if request.batch == (asked.get("batch") or 1) else _TIMEOUT)
            return
        waiting = self._waiting.setdefault(consumer, [])
        waiting.append(request)
        if expires := asked.get("expires"):
            asyncio.get_running_loop().call_later(expires / 1e9, self._expire, consumer, request)

    def wake(self, stream: Stream) -> None:
        """There may be something for those who wait."""
        for consumer in stream.consumers.values():
            waiting = self._waiting.get(consumer)
            while waiting and consumer.next <= stream.last and len(consumer.pending) < consumer.most_pending:
                self._serve(stream, consumer, waiting[0])
                if not waiting[0].over:
                    break
                waiting.pop(0)

    def gone(self, consumer: Consumer) -> None:
        for request in self._waiting.pop(consumer, ()):
            self._say(request, _CONSUMER_DELETED)

    def _expire(self, consumer: Consumer, request: _Request) -> None:
        waiting = self._waiting.get(consumer, [])
        if request in waiting:
            waiting.remove(request)
            self._say(request, _TIMEOUT)

    def _say(self, request: _Request, status: bytes) -> None:
        request.over = True
        self._line.deliver(request.reply, request.reply, "", status, b"")

    def _due_again(self, consumer: Consumer) -> None:
        """What has waited for its acknowledgement for too long comes again."""
        now_s = asyncio.get_running_loop().time()
        if any(now_s - pending.at_s >= consumer.ack_wait_s for pending in consumer.pending.values()):
            consumer.again()

    def _serve(self, stream: Stream, consumer: Consumer, request: _Request) -> None:
        batch: list[Message] = []
        while len(batch) < request.batch and consumer.next <= stream.last:
            if len(consumer.pending) >= consumer.most_pending and consumer.next not in consumer.pending:
                break
            message = stream.messages.get(consumer.next)
            consumer.next += 1
            if message is not None:
                batch.append(message)
                known = consumer.pending.get(message.sequence)
                at_s = asyncio.get_running_loop().time()
                consumer.pending[message.sequence] = Pending(known.deliveries + 1 if known else 1, at_s)
        if self.disorder.get(consumer.name) and len(batch) > 1:
            self.disorder[consumer.name] -= 1
            batch[0], batch[-1] = batch[-1], batch[0]
        for message in batch:
            self._deliver(stream, consumer, request, message)
        request.batch -= len(batch)
        request.over = request.batch <= 0

    def _deliver(self, stream: Stream, consumer: Consumer, request: _Request, message: Message) -> None:
        consumer.delivered += 1
        deliveries = consumer.pending[message.sequence].deliveries
        ack = (
            f"$JS.ACK.{stream.name}.{consumer.name}.{deliveries}.{message.sequence}.{consumer.delivered}"
            f".{time.time_ns()}.{max(stream.last - message.sequence, 0)}"
        )
        self._line.deliver(request.reply, message.subject, ack, message.header, message.data)
