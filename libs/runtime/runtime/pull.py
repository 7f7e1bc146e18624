"""A durable pull consumer's messages, a list at a time (JetStream API, CONSUMER.MSG.NEXT).

What is there comes at once; when there is nothing, the next message is waited for. One subscription for all requests, taken directly:
the library's own `fetch` makes a subscription's queue, a header dictionary and a parsed reply for each message, and can stall.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.subscription import Subscription

from runtime.bus import Bus
from runtime.bus_errors import NoAnswer, NotDelivered
from runtime.client import nobody_there
from runtime.rights import inbox

SLACK_S = 3.0
"""The broker ends a request by itself; when it has not after this much more, the request or its end is lost."""

_ACK = b"+ACK"
_STATUS = b"NATS/1.0 "


class Delivered(NamedTuple):
    """One message of the stream."""

    sequence: int
    data: bytes
    ack_subject: str


class _Asked:
    """A request under way."""

    def __init__(self, number: str, most: int) -> None:
        self.number = number
        self.most = most
        self.messages: list[Delivered] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(self, error: Exception | None = None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class PullConsumer:
    """To be opened, fetched from by one task, and closed."""

    def __init__(self, bus: Bus, stream: str, durable: str) -> None:
        self._bus = bus
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = f"{inbox(bus.identity)}.{os.urandom(8).hex()}.pull."
        self._numbers = itertools.count()
        self._asked: _Asked | None = None
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Raises NotDelivered when not connected."""
        try:
            self._subscription = await self._bus.client.take(self._inbox + "*", self._on)
        except (nats.errors.Error, ConnectionError) as error:
            raise NotDelivered(f"{self._next}: {type(error).__name__}") from None

    async def close(self) -> None:
        if self._subscription is not None:
            try:
                await self._subscription.unsubscribe()
            except nats.errors.Error:
                return  # the connection is closed, and the subscription with it

    async def fetch(self, most: int, wait_s: float) -> list[Delivered]:
        """At most `most` messages that are there; else the next one, if it comes within `wait_s`. Raises NotDelivered, NoAnswer."""
        messages = await self._ask({"batch": most, "no_wait": True}, most, 0.0)
        return messages or await self._ask({"batch": 1, "expires": int(wait_s * 1e9)}, 1, wait_s)

    def acknowledge(self, messages: Iterable[Delivered]) -> None:
        """Raises NotDelivered when not connected."""
        try:
            for message in messages:
                self._bus.client.send(message.ack_subject, _ACK)
        except nats.errors.Error as error:
            raise NotDelivered(f"{self._next}: {type(error).__name__}") from None

    async def _ask(self, question: dict[str, object], most: int, wait_s: float) -> list[Delivered]:
        asked = self._asked = _Asked(str(next(self._numbers)), most)
        try:
            self._bus.client.send(self._next, msgspec.json.encode(question), reply=self._inbox + asked.number)
            await asyncio.wait_for(asked.done, wait_s + SLACK_S)
        except (nats.errors.Error, ConnectionError) as error:
            raise NotDelivered(f"{self._next}: {type(error).__name__}") from None
        except TimeoutError:
            if not asked.messages:
                raise NoAnswer(f"{self._next}: no end in time") from None
        finally:
            self._asked = None
        return asked.messages

    def _on(self, subject: str, reply: str, header: bytes, data: bytes) -> None:
        asked = self._asked
        if asked is None:
            return  # of a request that was given up: it comes again, for nobody acknowledges it
        if reply:  # a message, under the subject that it has in the stream: of which request, nobody needs to know
            asked.messages.append(Delivered(_sequence(reply), data, reply))
            if len(asked.messages) == asked.most:
                asked.end()
        elif subject[subject.rfind(".") + 1 :] != asked.number:
            return
        elif nobody_there(header, data):
            asked.end(NotDelivered(f"{self._next}: nobody answers there"))
        elif header.startswith(_STATUS):
            status = header[len(_STATUS) : len(_STATUS) + 3]
            # 404 nothing there, 408 its time is over; anything else (409: the consumer is gone, or a limit) is no end of it.
            asked.end(None if status in (b"404", b"408") else NoAnswer(f"{self._next}: {status.decode('latin-1')}"))


def _sequence(reply: str) -> int:
    """The stream's sequence in an acknowledgement's subject: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<…>.<time>.<pending>`.

    >>> _sequence("$JS.ACK.JOURNAL_0.receipts.1.42.7.1700000000000000000.0")
    42
    """
    words = reply.split(".")
    return int(words[5 if len(words) == 9 else 7])  # the longer form names domain and account in front
