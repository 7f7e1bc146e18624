"""Requests as a service meets them: each in a task of its own, bounded, with its deadline; and what is answered when one fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from runtime import logs
from runtime.bus_errors import BusError
from runtime.rights import INBOX
from runtime.tracing import TraceContext, parse_traceparent

log = logs.get("bus")

DEADLINE = "Lianji-Deadline"
"""Header: Unix milliseconds after which the caller no longer waits. Liveness only: nothing correct rests on clocks."""
MILLISECONDS = 13
"""Digits of them, until the year 2286."""
ERROR = "Lianji-Error"
"""Header of an empty answer: the handler failed; the outcome is unknown."""
TRACEPARENT = "traceparent"

_INBOXES = INBOX + "."


def may_be_answered(message: Msg) -> bool:
    """Whether its answer would go to an inbox, or nowhere.

    A question says where its answer goes, and the answer goes with the right of whoever gives it: one that pointed at a log would be
    written into that log by its owner.
    """
    if not message.reply or message.reply.startswith(_INBOXES):
        return True
    log.warning("request refused: its answer would not go to an inbox", subject=message.subject, reply=message.reply)
    return False


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


class ServedBus(Protocol):
    """runtime.bus.Bus, as far as it is used here."""

    client: Client

    def forget(self, serving: Serving) -> None: ...


class Serving:
    """One subject being served, each request in a task of its own, at most `concurrency` at a time."""

    def __init__(self, bus: ServedBus, subject: str, handler: Handler, queue: str, concurrency: int) -> None:
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
        if not may_be_answered(message):
            return
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
            by_s = round(-request.remaining_s(), 3)  # seconds: a queue; an hour: somebody's clock
            log.warning("request refused: its deadline had passed", subject=self.subject, by_s=by_s)
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
