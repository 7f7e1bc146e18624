"""The NATS connection of a process: serve, request with a deadline, discovery.

What a caller may conclude is in the type of the error: NotDelivered means that nobody got the request, NoAnswer that
nobody knows. Nothing is buffered while disconnected, and a request that outlived its deadline is not worked on.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.micro.service import EndpointInfo, EndpointStats, ServiceConfig, ServiceInfo, ServiceStats
from nats.micro.service import Service as MicroService

from runtime import logs
from runtime.tracing import Parent, Span, TraceContext, parse_traceparent

log = logs.get("bus")

DEADLINE = "Lianji-Deadline"
"""Header: Unix milliseconds after which the caller no longer waits. Liveness only: nothing correct rests on clocks."""
MILLISECONDS = 13
"""Digits of them, until the year 2286."""
ERROR = "Lianji-Error"
"""Header of an empty answer: the handler failed; the outcome is unknown."""
TRACEPARENT = "traceparent"


class BusError(Exception):
    """NotDelivered | NoAnswer."""


class NotDelivered(BusError):  # noqa: N818 - the name says what happened
    """Nobody was subscribed, or the broker is not connected: the request reached no one, trying again is safe."""


class NoAnswer(BusError):  # noqa: N818
    """The request left and no answer came: it may have been worked on, or not, or be worked on yet."""


class Request:
    """A request as a handler gets it."""

    __slots__ = ("_deadline_ms", "body", "subject", "trace")

    def __init__(self, subject: str, body: bytes, trace: TraceContext | None, deadline_ms: int) -> None:
        self.subject = subject
        self.body = body
        self.trace = trace
        self._deadline_ms = deadline_ms

    def remaining_s(self) -> float:
        """Seconds until the caller stops waiting; infinite when it did not say."""
        return (self._deadline_ms - time.time() * 1000) / 1000 if self._deadline_ms else float("inf")


STOP_S = 12.0
"""Longest wait for what a stopped subscription still holds: a bank's time-out and a little."""

Handler = Callable[[Request], Awaitable[bytes | None]]
"""Answers a request; None leaves it unanswered on purpose."""


class Serving:
    """One subject being served, each request in a task of its own, at most `concurrency` at a time."""

    def __init__(self, bus: Bus, subject: str, handler: Handler, queue: str, concurrency: int) -> None:
        self._bus = bus
        self._handler = handler
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        self.subject = subject
        self.queue = queue
        self._refusing = False
        self.requests = self.errors = 0
        self.busy_ns = 0

    async def start(self) -> None:
        self._subscription = await self._bus.client.subscribe(self.subject, queue=self.queue, cb=self._on)

    async def _on(self, message: Msg) -> None:
        if self._refusing:  # so that the caller asks the next owner now, and not when its patience ends
            await self._refuse(message, "Stopping")
            return
        await self._slots.acquire()
        task = asyncio.create_task(self._handle(message))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _handle(self, message: Msg) -> None:
        started = time.perf_counter_ns()
        headers = message.headers or {}
        deadline = headers.get(DEADLINE, "")
        request = Request(
            message.subject,
            message.data,
            parse_traceparent(headers.get(TRACEPARENT)),
            int(deadline) if len(deadline) <= MILLISECONDS and deadline.isascii() and deadline.isdigit() else 0,
        )
        if request.remaining_s() <= 0:
            log.warning("request refused: its deadline had passed", subject=self.subject)
            return
        self.requests += 1
        try:
            answer = await self._handler(request)
            if answer is not None and message.reply:
                await self._bus.client.publish(message.reply, answer)
        except asyncio.CancelledError:
            await self._refuse(message, "Cancelled")
            raise
        except Exception as error:  # the edge: what escapes is logged here and its text goes nowhere else
            self.errors += 1
            log.error(
                "handler failed",
                subject=self.subject,
                error=type(error).__name__,
                exc_info=not isinstance(error, BusError),
            )
            await self._refuse(message, type(error).__name__)
        finally:
            self.busy_ns += time.perf_counter_ns() - started

    async def _refuse(self, message: Msg, name: str) -> None:
        if not message.reply:
            return
        try:
            await self._bus.client.publish(message.reply, b"", headers={ERROR: name})
        except nats.errors.Error:
            log.warning("the caller could not be told of the failure", subject=self.subject)

    async def stop(self, *, cancel: bool = False) -> None:
        """Takes no more requests; returns when those in hand have been answered, or, with `cancel`, been given up."""
        self._refusing = cancel
        if cancel:
            self._cancel()
        if self._subscription is not None:
            try:
                # What the broker has delivered already is handled too: nobody else will get it.
                await asyncio.wait_for(self._subscription.drain(), STOP_S)  # type: ignore[no-untyped-call]
            except (nats.errors.Error, TimeoutError) as error:
                log.warning("requests may be left without an answer", subject=self.subject, error=type(error).__name__)
        while self._tasks:
            if cancel:
                self._cancel()
            await asyncio.wait(self._tasks)
        self._bus.forget(self)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class _Discovery(MicroService):
    """`$SRV.PING/INFO/STATS` over our own endpoints (nats.micro itself would run one handler at a time)."""

    def __init__(self, client: Client, config: ServiceConfig, endpoints: list[Serving]) -> None:
        super().__init__(client, config)
        self._servings = endpoints

    def info(self) -> ServiceInfo:
        info = super().info()
        info.endpoints = [
            EndpointInfo(name=_endpoint(s), subject=s.subject, queue_group=s.queue, metadata={}) for s in self._servings
        ]
        return info

    def stats(self) -> ServiceStats:
        stats = super().stats()
        stats.endpoints = [
            EndpointStats(
                name=_endpoint(s),
                subject=s.subject,
                queue_group=s.queue,
                num_requests=s.requests,
                num_errors=s.errors,
                last_error="",
                processing_time=s.busy_ns,
                average_processing_time=s.busy_ns // s.requests if s.requests else 0,
            )
            for s in self._servings
        ]
        return stats


def _endpoint(serving: Serving) -> str:
    return serving.subject.replace(".", "-").replace("*", "any").replace(">", "all")


class Bus:
    """A connection to the broker that never gives up, with one reply inbox for all its requests."""

    def __init__(self, client: Client, name: str) -> None:
        self.client = client
        self.name = name
        self.servings: list[Serving] = []
        self.connected = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._numbers = itertools.count()
        self._inbox = f"_INBOX.{name}.{os.urandom(8).hex()}."
        self._discovery: _Discovery | None = None
        self._closing = False

    @classmethod
    async def connect(cls, url: str, name: str, *, wait_s: float = 60.0) -> Bus:
        """Connects, waiting up to `wait_s` for a broker that is still starting; raises NotDelivered after that."""
        client = Client()
        bus = cls(client, name)

        async def disconnected() -> None:
            bus.connected.clear()
            bus._fail_waiting()
            if not bus._closing:
                log.warning("broker connection lost", broker=url)

        async def reconnected() -> None:
            bus.connected.set()
            log.info("broker connection restored", broker=url)

        async def failed(error: Exception) -> None:
            log.warning("broker client reported an error", error=type(error).__name__)

        give_up = time.monotonic() + wait_s
        while True:
            try:
                connecting = client.connect(
                    url,
                    name=name,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type]  # annotated int; it is only slept on
                    connect_timeout=2,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    pending_size=-1,  # a request made while disconnected fails instead of surprising somebody later
                    allow_reconnect=True,
                    disconnected_cb=disconnected,
                    reconnected_cb=reconnected,
                    error_cb=failed,
                )
                # The client would try its first connection for ever, too.
                await asyncio.wait_for(connecting, max(give_up - time.monotonic(), 0.1))
                break
            except (OSError, TimeoutError, nats.errors.Error) as error:
                if time.monotonic() > give_up:
                    raise NotDelivered(f"no broker at {url}: is the stack up? ({type(error).__name__})") from None
                await asyncio.sleep(0.1)
        bus.connected.set()
        await client.subscribe(bus._inbox + "*", cb=bus._on_reply, pending_msgs_limit=-1, pending_bytes_limit=-1)
        return bus

    async def announce(self, service: str, metadata: dict[str, str]) -> None:
        """Makes the process visible to `nats micro ls`, `info` and `stats`."""
        config = ServiceConfig(name=service, version="0.1.0", metadata=metadata)
        self._discovery = _Discovery(self.client, config, self.servings)
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
        headers = {DEADLINE: str(int((time.time() + timeout_s) * 1000))}
        if trace is not None:
            headers[TRACEPARENT] = (trace.context if type(trace) is Span else trace).traceparent  # type: ignore[union-attr]
        answer = await self.exchange(subject, body, headers, timeout_s)
        if answer.headers:
            if answer.headers.get("Status") == "503" and not answer.data:
                raise NotDelivered(f"{subject}: nobody answers there")
            if ERROR in answer.headers:
                raise NoAnswer(f"{subject}: the handler failed ({answer.headers[ERROR]})")
        return answer.data

    async def exchange(self, subject: str, body: bytes, headers: dict[str, str] | None, timeout_s: float) -> Msg:
        """One message out, the first message back; raises NotDelivered (never left) or NoAnswer. For this package."""
        key = str(next(self._numbers))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()
        self._waiting[key] = future
        timer = loop.call_later(timeout_s, self._expire, key, subject)
        try:
            try:
                await self.client.publish(subject, body, reply=self._inbox + key, headers=headers)
            except (nats.errors.Error, ConnectionError) as error:
                raise NotDelivered(f"{subject}: {type(error).__name__}") from None
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(key, None)

    def _expire(self, key: str, subject: str) -> None:
        future = self._waiting.pop(key, None)
        if future is not None and not future.done():
            future.set_exception(NoAnswer(f"{subject}: no answer in time"))

    def _fail_waiting(self) -> None:
        """The connection is gone: whether the requests in flight arrived, and their answers, nobody can say."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NoAnswer("connection lost"))
        self._waiting.clear()

    async def _on_reply(self, message: Msg) -> None:
        future = self._waiting.pop(message.subject[len(self._inbox) :], None)
        if future is not None and not future.done():
            future.set_result(message)

    async def discover(self, *, wait_s: float = 0.25) -> set[str]:
        """The subjects that services answer at this moment, as they say themselves (`$SRV.INFO`), asked for `wait_s`."""
        found: set[str] = set()

        async def on(message: Msg) -> None:
            if not message.data:
                return  # "no responders": nothing runs yet
            found.update(endpoint["subject"] for endpoint in msgspec.json.decode(message.data).get("endpoints", ()))

        inbox = f"_INBOX.{self.name}.{os.urandom(8).hex()}"
        subscription = await self.client.subscribe(inbox, cb=on)
        await self.client.publish("$SRV.INFO", b"", reply=inbox)
        await asyncio.sleep(wait_s)  # nobody knows how many will answer
        await subscription.unsubscribe()
        return found

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
        if self.client.is_connected:
            await self.client.drain()
        else:
            await self.client.close()
