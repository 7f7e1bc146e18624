"""The broker: connections, subscriptions, and the line protocol (NATS client protocol)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import msgspec

from simulation.broker.jetstream import JetStream
from simulation.broker.streams import Store
from simulation.broker.subjects import Interest
from simulation.broker.traps import Traps

MAX_PAYLOAD = 8 * 1024 * 1024
_INFO = {
    "server_id": "SIMULATION",
    "server_name": "simulation",
    "version": "2.11.0",
    "proto": 1,
    "headers": True,
    "jetstream": True,
    "max_payload": MAX_PAYLOAD,
}
_NO_RESPONDERS = b"NATS/1.0 503\r\n\r\n"

Told = Callable[[str, str, bytes], None]
"""Takes what has happened, details, and the data it has happened to, for whoever reads a day event by event."""


class Subscription:
    """One SUB of one connection."""

    __slots__ = ("client", "left", "queue", "sid", "subject")

    def __init__(self, client: Client, sid: bytes, subject: str, queue: str) -> None:
        self.client = client
        self.sid = sid
        self.subject = subject
        self.queue = queue
        self.left = -1
        """Messages until it ends by itself; below 0: none is set."""


class Client(asyncio.Protocol):
    """A connection as the broker sees it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._rest = b""
        self._subscriptions: dict[bytes, Subscription] = {}
        self.transport: asyncio.Transport | None = None
        self.name = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(b"INFO " + msgspec.json.encode(_INFO) + b"\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        for subscription in list(self._subscriptions.values()):
            self._end(subscription)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        while at < size:
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            following = self._line(data, at, end)
            if following < 0:
                break
            at = following
        self._rest = data[at:]

    def _line(self, data: bytes, at: int, end: int) -> int:
        """Does what the line says; where the next one begins, -1 when its payload is not there yet."""
        words = data[at:end].split()
        command = words[0].upper() if words else b""
        if command in (b"PUB", b"HPUB"):
            total = int(words[-1])
            start, stop = end + 2, end + 2 + total
            if len(data) < stop + 2:
                return -1
            header_size = int(words[-2]) if command == b"HPUB" else 0
            replies = len(words) - (4 if header_size else 3)
            reply = words[2].decode() if replies else ""
            body = start + header_size
            self._broker.publish(words[1].decode(), reply, data[start:body], data[body:stop], self)
            return stop + 2
        if command == b"PING":
            self.write(b"PONG\r\n")
        elif command == b"CONNECT":
            self.name = msgspec.json.decode(data[at + 8 : end]).get("name") or ""
        elif command == b"SUB":
            queue = words[2].decode() if len(words) == 4 else ""
            subscription = Subscription(self, words[-1], words[1].decode(), queue)
            self._subscriptions[subscription.sid] = subscription
            self._broker.interest.add(subscription.subject, subscription)
        elif command == b"UNSUB":
            self._unsubscribe(words)
        return end + 2

    def _unsubscribe(self, words: list[bytes]) -> None:
        subscription = self._subscriptions.get(words[1])
        if subscription is None:
            return
        if len(words) == 3:
            subscription.left = int(words[2])
        else:
            self._end(subscription)

    def _end(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.sid, None)
        self._broker.interest.remove(subscription.subject, subscription)

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def deliver(self, subscription: Subscription, subject: str, reply: str, header: bytes, data: bytes) -> None:
        """MSG or HMSG."""
        if header:
            line = f"HMSG {subject} {subscription.sid.decode()} {reply} {len(header)} {len(header) + len(data)}\r\n"
        else:
            line = f"MSG {subject} {subscription.sid.decode()} {reply} {len(data)}\r\n"
        self.write(b"".join((line.encode(), header, data, b"\r\n")))
        if subscription.left > 0:
            subscription.left -= 1
            if not subscription.left:
                self._end(subscription)


def _unheard(_: str, __: str, ___: bytes) -> None:
    return


class Broker:
    """One life of the broker over a store. It runs on any event loop: `client` makes the protocol of a connection."""

    def __init__(self, store: Store, chance: random.Random, traps: Traps | None = None, told: Told = _unheard) -> None:
        self.interest: Interest[Subscription] = Interest()
        self.chance = chance
        self.told = told
        self.jetstream = JetStream(store, self, traps or Traps(chance))

    def client(self) -> Client:
        return Client(self)

    def publish(self, subject: str, reply: str, header: bytes, data: bytes, sender: Client | None) -> None:
        """What a connection says: to whoever has subscribed, to JetStream, or to nobody, and then the sender is told so."""
        heard = self.deliver(subject, subject, reply, header, data)
        if subject.startswith("$JS."):
            heard = self.jetstream.asked(subject, reply, header, data) or heard
        else:
            heard = self.jetstream.published(subject, reply, header, data) or heard
        if not heard and reply and sender is not None:
            self.deliver(reply, reply, "", _NO_RESPONDERS, b"")

    def deliver(self, to: str, subject: str, reply: str, header: bytes, data: bytes) -> bool:
        """To everybody who has subscribed to `to`, under the name `subject`; of each queue one. False: nobody has."""
        found = self.interest.match(to)
        if not found:
            return False
        queues: dict[str, list[Subscription]] = {}
        for subscription in found:
            if subscription.queue:
                queues.setdefault(subscription.queue, []).append(subscription)
            else:
                subscription.client.deliver(subscription, subject, reply, header, data)
        for members in queues.values():
            chosen = members[0] if len(members) == 1 else self.chance.choice(members)
            chosen.client.deliver(chosen, subject, reply, header, data)
        return True

    def answer(self, reply: str, answer: Any) -> None:
        """JSON to an inbox."""
        if reply:
            self.deliver(reply, reply, "", b"", msgspec.json.encode(answer))
