"""The NATS connection of a process: serve, request with a deadline, discovery.

What a caller may conclude is in the type of the error (bus_errors). Nothing is buffered while disconnected, and a request that outlived
its deadline is not worked on. Answers come to one inbox below the identity's own prefix, under the subject that was asked:
`_INBOX.<identity>.<connection>.<subject>.<number>`. So the broker can hold each service to answering what is asked of it (rights).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.msg import Msg

from runtime import logs
from runtime.bus_errors import BusError, NoAnswer, NoRoom, NotAdmitted, NotDelivered, NotPermitted, SteppedDown
from runtime.client import PathClient, header_value, nobody_there
from runtime.deadline import NEVER, Deadline
from runtime.discovery import Discovery, configuration
from runtime.identity import HOW_TO_GET_A_KEY, Identity
from runtime.rights import inbox
from runtime.serving import DEADLINE, ERROR_NAME, OVERLOADED, STOPPING, Handler, Request, Serving
from runtime.trace_context import TRACEPARENT, TRACESTATE
from runtime.tracing import Parent

__all__ = [
    "Bus",
    "BusError",
    "Handler",
    "NoAnswer",
    "NoRoom",
    "NotAdmitted",
    "NotDelivered",
    "NotPermitted",
    "Request",
    "Serving",
    "SteppedDown",
]

log = logs.get("bus")

# What nats-server says, as the client library gives it on: in lower case.
_NOT_ADMITTED = "authorization violation"
_NOT_PERMITTED = "permissions violation for "
_PUBLISH = "publish to "


class Answer(NamedTuple):
    """What came back: its bytes, and its headers as they came."""

    data: bytes
    header: bytes


class _Waiting(NamedTuple):
    subject: str
    answer: asyncio.Future[Answer]
    due: float
    """By the loop's clock."""


class Bus:
    """A connection to the broker that never gives up, with one reply inbox for all its requests."""

    def __init__(self, client: PathClient, name: str, identity: Identity) -> None:
        self.client = client
        self.name = name
        self.identity = identity.name
        self.servings: list[Serving] = []
        self.connected = asyncio.Event()
        self.reconnections = 0
        """How often the connection has been restored."""
        self.brokers: set[str] = set()
        """The ids of all servers that have been at the other end; `broker` is the one that is there now."""
        self._waiting: dict[str, _Waiting] = {}
        self._deadline = Deadline(asyncio.get_running_loop(), self._expire)
        """The earliest of those that wait, or earlier."""
        self._numbers = itertools.count()
        self._inbox = f"{inbox(identity.name)}.{os.urandom(8).hex()}."
        self._discovery: Discovery | None = None
        self._closing = False
        self._admitted = False
        self._refused = asyncio.Event()

    @property
    def broker(self) -> str:
        """The id of the server at the other end, which it makes anew at each start (NATS, INFO's server_id); empty before the first."""
        return str(self.client._server_info.get("server_id", ""))

    @classmethod
    async def connect(cls, url: str, name: str, *, identity: Identity | None = None, wait_s: float = 60.0) -> Bus:
        """Connects, waiting up to `wait_s` for a broker that is still starting; raises NotDelivered after that, NotAdmitted at once.

        Without an identity its inboxes are named after the process, which only a broker that takes everybody lets pass.
        """
        client = PathClient()
        identity = identity or Identity(name)
        bus = cls(client, name, identity)
        if identity.key is not None:
            # All that the library wants of a key; its own way to one needs two packages more (ADR 0010).
            client._public_nkey = identity.key.public
        give_up = time.monotonic() + wait_s
        while True:
            connecting = asyncio.create_task(bus._connect(url, identity))
            refused = asyncio.create_task(bus._refused.wait())
            try:
                # The client would try its first connection for ever, too.
                left = max(give_up - time.monotonic(), 0.1)
                await asyncio.wait((connecting, refused), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if bus._refused.is_set():
                    raise NotAdmitted(_why_not_admitted(url, identity))
                if connecting.done():
                    connecting.result()
                    break
                raise NotDelivered(f"no broker at {url}: is the stack up?")
            except (OSError, TimeoutError, nats.errors.Error) as error:
                if time.monotonic() > give_up:
                    raise NotDelivered(f"no broker at {url}: is the stack up? ({type(error).__name__})") from None
                await asyncio.sleep(0.1)
            finally:
                connecting.cancel()
                refused.cancel()
        bus._admitted = True
        bus.brokers.add(bus.broker)
        bus.connected.set()
        await client.take(bus._inbox + ">", bus._on_reply)
        return bus

    async def _connect(self, url: str, identity: Identity) -> None:
        async def disconnected() -> None:
            self.connected.clear()
            self._fail_waiting()
            for serving in tuple(self.servings):
                serving.lost()
            if not self._closing:
                log.warning("broker connection lost", broker=url)

        async def reconnected() -> None:
            self._refused.clear()
            self.reconnections += 1
            self.brokers.add(self.broker)
            self.connected.set()
            log.info("broker connection restored", broker=url)

        await self.client.connect(
            url,
            name=self.name,
            signature_cb=identity.key.sign if identity.key is not None else None,
            inbox_prefix=inbox(identity.name),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,  # type: ignore[arg-type]  # annotated int; it is only slept on
            connect_timeout=2,
            ping_interval=5,
            max_outstanding_pings=2,
            pending_size=-1,  # a request made while disconnected fails instead of surprising somebody later
            allow_reconnect=True,
            disconnected_cb=disconnected,
            reconnected_cb=reconnected,
            error_cb=self._on_error,
        )

    async def _on_error(self, error: Exception) -> None:
        """What the broker or the library complains of. A refusal names the subject; other texts may hold anything and are left out."""
        text = str(error)
        if not self._admitted:  # `connect` says how it ended
            if _NOT_ADMITTED in text.lower():
                self._refused.set()
            log.debug("not connected yet", error=type(error).__name__)
        elif _NOT_ADMITTED in text.lower():
            if not self._refused.is_set():  # once, and not ten times a second
                log.error("the broker does not take this key any more", identity=self.identity)
            self._refused.set()
        elif _NOT_PERMITTED in text:
            refused = text.partition(_NOT_PERMITTED)[2]
            log.error("the broker has refused", identity=self.identity, refused=refused)
            self._fail_refused(refused)
        else:
            log.warning("broker client reported an error", error=type(error).__name__)

    async def announce(self, service: str, metadata: dict[str, str]) -> None:
        """Makes the process visible to `nats micro ls`, `info` and `stats`."""
        self._discovery = Discovery(self.client, configuration(service, metadata), self.servings)
        await self._discovery.start()

    async def serve(self, subject: str, handler: Handler, *, queue: str = "", concurrency: int = 256) -> Serving:
        """Answers requests on `subject` until the returned Serving is stopped."""
        serving = Serving(self, subject, handler, queue, concurrency)
        self.servings.append(serving)
        await serving.start()
        return serving

    def forget(self, serving: Serving) -> None:
        if serving in self.servings:
            self.servings.remove(serving)

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Parent = None) -> bytes:
        """The answer's bytes; raises NotDelivered or NoAnswer."""
        deadline = int((time.time() + timeout_s) * 1000)
        if trace is not None:
            state = f"{TRACESTATE}: {trace.state}\r\n" if trace.state else ""
            header = f"NATS/1.0\r\n{DEADLINE}: {deadline}\r\n{TRACEPARENT}: {trace.traceparent}\r\n{state}\r\n".encode()
        else:
            header = f"NATS/1.0\r\n{DEADLINE}: {deadline}\r\n\r\n".encode()
        answer = await self.exchange(subject, body, header, timeout_s)
        if answer.header:
            if nobody_there(answer.header, answer.data):
                raise NotDelivered(f"{subject}: nobody answers there")
            if failed := header_value(answer.header, ERROR_NAME):
                if failed == STOPPING:
                    raise SteppedDown(f"{subject}: whoever served it takes no more")
                if failed == OVERLOADED:
                    raise NoRoom(f"{subject}: as many requests as may be are waiting")
                raise NoAnswer(f"{subject}: the handler failed ({failed})")
        return answer.data

    async def exchange(
        self, subject: str, body: bytes, header: bytes, timeout_s: float, *, sent: Callable[[], None] | None = None
    ) -> Answer:
        """One message out, the first message back; raises NotDelivered (never left) or NoAnswer. `header` is a header_block or empty.

        `sent` is called when it has left. For this package.
        """
        key, future = self._asked(subject, body, header, timeout_s)
        if sent is not None:
            sent()
        try:
            return await future
        finally:
            self._waiting.pop(key, None)

    def question(self, subject: str, body: bytes, timeout_s: float) -> asyncio.Future[Answer]:
        """As `exchange`, for whoever asks many and waits for each in its turn. To be awaited or cancelled."""
        return self._asked(subject, body, b"", timeout_s)[1]

    def _asked(self, subject: str, body: bytes, header: bytes, timeout_s: float) -> tuple[str, asyncio.Future[Answer]]:
        key = str(next(self._numbers))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        due = loop.time() + timeout_s
        self._waiting[key] = _Waiting(subject, future, due)
        if due < self._deadline.due:
            self._deadline.move(due)
        try:
            self.client.send(subject, body, reply=f"{self._inbox}{subject}.{key}", header=header)
        except (nats.errors.Error, ConnectionError) as error:
            del self._waiting[key]
            raise NotDelivered(f"{subject}: {type(error).__name__}") from None
        return key, future

    def _expire(self) -> None:
        """Those whose time is up; then the earliest of the rest is waited for."""
        now = asyncio.get_running_loop().time()
        for key in [key for key, waiting in self._waiting.items() if waiting.due <= now]:
            waiting = self._waiting.pop(key)
            if not waiting.answer.done():
                waiting.answer.set_exception(NoAnswer(f"{waiting.subject}: no answer in time"))
        self._deadline.move(min((w.due for w in self._waiting.values() if w.due > now), default=NEVER))

    def _fail_waiting(self) -> None:
        """The connection is gone: whether the requests in flight arrived, and their answers, nobody can say."""
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(NoAnswer("connection lost"))
        self._waiting.clear()

    def _fail_refused(self, refused: str) -> None:
        """Requests that the broker has not let through have reached nobody: they need not wait for their time-out."""
        for waiting in self._waiting.values():
            if refused == f'{_PUBLISH}"{waiting.subject.lower()}"' and not waiting.answer.done():
                waiting.answer.set_exception(NotPermitted(f"{self.identity} may not publish to {waiting.subject}"))

    def _on_reply(self, subject: str, _: str, header: bytes, data: bytes) -> None:
        waiting = self._waiting.pop(subject[subject.rfind(".") + 1 :], None)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(Answer(data, header))

    async def ask_all(self, subject: str, body: bytes, *, wait_s: float) -> list[bytes]:
        """What everybody who serves `subject` answers within `wait_s`: nobody knows how many that will be. NotDelivered when not connected."""
        answers: list[bytes] = []

        async def on(message: Msg) -> None:
            if message.data:  # else it is "no responders"
                answers.append(message.data)

        reply = f"{inbox(self.identity)}.{os.urandom(8).hex()}.{subject}.0"
        try:
            subscription = await self.client.subscribe(reply, cb=on)
            await self.client.publish(subject, body, reply=reply)
            await asyncio.sleep(wait_s)
            await subscription.unsubscribe()
        except (nats.errors.Error, ConnectionError) as error:
            raise NotDelivered(f"{subject}: {type(error).__name__}") from None
        return answers

    async def tell(self, subject: str, body: bytes = b"") -> None:
        """Publishes a hint that nobody answers; NotDelivered when not connected."""
        try:
            await self.client.publish(subject, body)
            await self.client.flush(timeout=2)
        except (nats.errors.Error, ConnectionError, TimeoutError) as error:
            raise NotDelivered(f"{subject}: {type(error).__name__}") from None

    async def discover(self, *, wait_s: float = 0.25) -> set[str]:
        """The subjects that services answer at this moment, as they say themselves (`$SRV.INFO`), asked for `wait_s`."""
        answers = await self.ask_all("$SRV.INFO", b"", wait_s=wait_s)
        return {row["subject"] for answer in answers for row in msgspec.json.decode(answer).get("endpoints", ())}

    async def alive(self) -> str:
        """A readiness check: a round trip to the broker."""
        if not self.client.is_connected:
            return "not connected to the broker"
        try:
            await self.client.flush(timeout=2)
        except (nats.errors.Error, TimeoutError, ConnectionError) as error:
            return f"no round trip to the broker: {type(error).__name__}"
        return ""

    async def close(self) -> None:
        """Flushes what was said and hangs up."""
        self._closing = True
        if self._discovery is not None and self.client.is_connected:
            await self._discovery.stop()
        try:
            if self.client.is_connected:
                await self.client.drain()
            else:
                await self.client.close()
        except (nats.errors.Error, OSError, RuntimeError) as error:
            # RuntimeError is the loop's word for a socket that is gone already: the library writes what it still has to it.
            log.warning("hung up without a farewell: the broker is gone", error=type(error).__name__)
        self._fail_waiting()
        self._deadline.end()


def _why_not_admitted(url: str, identity: Identity) -> str:
    """One line for whoever starts the process."""
    if identity.key is None:
        return f"the broker at {url} asks for a key and {identity.name} has none: {HOW_TO_GET_A_KEY}"
    return (
        f"the broker at {url} does not know the key {identity.key.public} of {identity.name}: "
        "its users and this process must be made from the same keys (`lianji permissions`)"
    )
