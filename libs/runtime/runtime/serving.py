"""Requests as a service meets them: each in a task of its own, bounded, with its deadline; and what is answered when one fails."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, Protocol, cast

import nats.errors
from nats.aio.subscription import Subscription

from runtime import logs
from runtime.bus_errors import BusError
from runtime.client import PathClient, header_block, header_value
from runtime.rights import INBOX
from runtime.trace_context import TRACEPARENT, TRACESTATE, TraceContext, parse_traceparent

log = logs.get("bus")

DEADLINE = "Lianji-Deadline"
"""Header: Unix milliseconds after which the caller no longer waits. Liveness only: nothing correct rests on clocks."""
MILLISECONDS = 13
"""Digits of them, until the year 2286."""
ERROR = "Lianji-Error"
"""Header of an empty answer: the handler failed; the outcome is unknown."""
DEADLINE_NAME, ERROR_NAME = DEADLINE.encode(), ERROR.encode()
_TRACEPARENT_NAME, _TRACESTATE_NAME = TRACEPARENT.encode(), TRACESTATE.encode()

MOST_WAITING = 4096
"""Requests of one subject that wait for a slot; above that they are refused at once: some seconds' work for whoever serves it."""
STOPPING, OVERLOADED, CANCELLED = "Stopping", "Overloaded", "Cancelled"
"""What ERROR says beside the names of exceptions. The first two: the handler was never begun, here."""

_INBOXES = INBOX + "."


def may_be_answered(subject: str, reply: str) -> bool:
    """Whether the answer to a question on `subject` would go to an inbox, or nowhere.

    A question says where its answer goes, and the answer goes with the right of whoever gives it: one that pointed at a log would be
    written into that log by its owner.
    """
    if not reply or reply.startswith(_INBOXES):
        return True
    log.warning("request refused: its answer would not go to an inbox", subject=subject, reply=reply)
    return False


_USUAL = re.compile(
    rb"NATS/1\.0\r\nLianji-Deadline: ([1-9][0-9]{12})\r\n"
    rb"traceparent: 00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-(0[01])\r\n\r\n"
).fullmatch
"""Headers as our own bus writes them (`Bus.request`): read in one look, for each request has them."""


def asked(header: bytes) -> tuple[int, TraceContext | None]:
    """Deadline (Unix milliseconds, 0: the caller did not say) and trace context of a request; what cannot be read was not said."""
    if (usual := _USUAL(header)) is not None:
        deadline, trace_id, span_id, flags = usual.groups()
        return int(deadline), TraceContext(trace_id.decode(), span_id.decode(), flags == b"01")
    return _asked_otherwise(header)


def _asked_otherwise(header: bytes) -> tuple[int, TraceContext | None]:
    said = header_value(header, DEADLINE_NAME)
    deadline = int(said) if len(said) <= MILLISECONDS and said.isascii() and said.isdigit() else 0
    state = header_value(header, _TRACESTATE_NAME)
    return deadline, parse_traceparent(header_value(header, _TRACEPARENT_NAME), state)


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

    client: PathClient

    def forget(self, serving: Serving) -> None: ...


class _Message(NamedTuple):
    """What came: PathClient's taker's arguments."""

    subject: str
    reply: str
    header: bytes
    data: bytes


class Serving:
    """One subject being served, each request in a task of its own, at most `concurrency` at a time; the others wait in their order."""

    def __init__(self, bus: ServedBus, subject: str, handler: Handler, queue: str, concurrency: int) -> None:
        self._bus = bus
        self._handler = handler
        self._slots = concurrency
        self._waiting: deque[_Message] = deque()
        self._tasks: dict[asyncio.Task[None], _Message] = {}
        self._subscription: Subscription | None = None
        self.subject = subject
        self.queue = queue
        self._refusing = False
        self._lost = asyncio.Event()
        self.requests = self.errors = 0
        self.busy_ns = 0

    async def start(self) -> None:
        self._subscription = await self._bus.client.take(self.subject, self._on, queue=self.queue)

    def _on(self, subject: str, reply: str, header: bytes, data: bytes) -> None:
        if not may_be_answered(subject, reply):
            return
        message = _Message(subject, reply, header, data)
        if self._refusing:  # so that the caller asks the next owner now, and not when its patience ends
            self._refuse(message, STOPPING)
            return
        if len(self._tasks) < self._slots:
            self._begin(message)
            return
        if len(self._waiting) >= MOST_WAITING:
            self._forget_the_late()
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(message)
        else:
            self._refuse(message, OVERLOADED)

    def _forget_the_late(self) -> None:
        """Those that have waited longest, as far as their callers wait no more. After a pause of the process that may be all; and who is new is
        not to be refused for their sake, as if nobody had seen it: somebody else may have taken over meanwhile, and be at work on it."""
        forgotten, now_ms = 0, time.time() * 1000
        while self._waiting and 0 < asked(self._waiting[0].header)[0] <= now_ms:
            self._waiting.popleft()
            forgotten += 1
        if forgotten:
            log.warning("requests forgotten: their deadlines had passed", subject=self.subject, requests=forgotten)

    def _begin(self, message: _Message) -> None:
        task = asyncio.create_task(self._handle(message))
        self._tasks[task] = message
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if self._waiting:
            self._begin(self._waiting.popleft())

    async def _handle(self, message: _Message) -> None:
        started = time.perf_counter_ns()
        deadline_ms, trace = asked(message.header) if message.header else (0, None)
        request = Request(message.subject, message.data, trace, deadline_ms)
        if request.remaining_s() <= 0:
            by_s = round(-request.remaining_s(), 3)  # seconds: a queue; an hour: somebody's clock
            log.warning("request refused: its deadline had passed", subject=self.subject, by_s=by_s)
            return
        self.requests += 1
        try:
            answer = await self._handler(request)
            if answer is not None and message.reply:
                self._bus.client.send(message.reply, answer)
        except asyncio.CancelledError:
            self._refuse(message, CANCELLED)
            raise
        except Exception as error:  # the edge: what escapes is logged here and its text goes nowhere else
            self.errors += 1
            log.error(
                "handler failed",
                subject=self.subject,
                error=type(error).__name__,
                exc_info=not isinstance(error, BusError),
            )
            self._refuse(message, type(error).__name__)
        finally:
            self.busy_ns += time.perf_counter_ns() - started

    def _refuse(self, message: _Message, name: str) -> None:
        if not message.reply:
            return
        try:
            self._bus.client.send(message.reply, b"", header=header_block({ERROR: name}))
        except nats.errors.Error:
            log.warning("the caller could not be told of the failure", subject=self.subject)

    async def stop(self, *, cancel: bool = False) -> None:
        """Takes no more requests; returns when those in hand have been answered, or, with `cancel`, been given up."""
        self._refusing = cancel
        if cancel:
            self._cancel()
        if self._subscription is not None:
            await self._leave(self._subscription)
        while self._tasks:
            if cancel:
                self._cancel()
            await asyncio.wait(self._tasks)
        self._bus.forget(self)

    def lost(self) -> None:
        """The connection is gone."""
        self._lost.set()

    async def _leave(self, subscription: Subscription) -> None:
        """What the broker has delivered already is handled too: nobody else will get it. Without a connection there is nothing to come.

        A subscription that is being given up must not come back with the next connection: its subject may have another owner by then,
        and the caller hears whoever answers first.
        """
        client = self._bus.client
        self._lost.clear()
        if client.is_connected:
            draining = asyncio.ensure_future(subscription.drain())  # type: ignore[no-untyped-call]
            lost = asyncio.ensure_future(self._lost.wait())
            try:
                await asyncio.wait((draining, lost), timeout=STOP_S, return_when=asyncio.FIRST_COMPLETED)
                if not draining.done():
                    trouble = "ConnectionLost" if lost.done() else "TimeoutError"
                elif draining.cancelled() or (error := draining.exception()) is None:
                    trouble = ""
                else:
                    trouble = type(error).__name__
                if trouble:
                    log.warning("requests may be left without an answer", subject=self.subject, error=trouble)
            finally:
                draining.cancel()
                lost.cancel()
        client.drop(subscription)

    def _cancel(self) -> None:
        for message in self._waiting:
            self._refuse(message, STOPPING)
        self._waiting.clear()
        for task, message in self._tasks.items():
            if _never_begun(task):  # it cannot say so itself
                self._refuse(message, STOPPING)
            task.cancel()


def _never_begun(task: asyncio.Task[None]) -> bool:
    return inspect.getcoroutinestate(cast(Coroutine[Any, Any, None], task.get_coro())) == inspect.CORO_CREATED
