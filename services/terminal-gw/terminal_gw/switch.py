"""Asking the switch: who gets the question, how long, and what may be concluded from silence."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Protocol, TypeVar

import msgspec

from contracts import codec, subjects
from contracts.identity import shard_of
from contracts.reading import rule
from runtime import logs
from runtime.bus import NoAnswer, NoRoom, NotDelivered, SteppedDown
from runtime.tracing import Parent, Span, Tracer
from terminal_gw import spans

log = logs.get("switch")

T = TypeVar("T")

RETRY_S = 0.05
"""Between two tries to get an answer from a shard that has no owner at the moment, or whose owner has just failed."""


LONGEST_PAUSE_S = 1.0


class Silence(Enum):
    """Why there is no answer."""

    NOT_DELIVERED = "nobody got it"
    """The switch has never seen the request: the terminal may be told so."""
    NO_ROOM = "it has no room"
    """The switch has refused to look at the request: the terminal may be told so."""
    UNKNOWN = "nobody knows"
    """The switch may have worked on it, at one try at least: nothing may be said, the terminal reverses."""


class Bus(Protocol):
    """runtime.bus.Bus, as far as it is used here."""

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Parent = None) -> bytes: ...


class Switch:
    """The shards of `auth`."""

    def __init__(
        self, bus: Bus, tracer: Tracer, shards: int, *, answer_timeout_s: float, retry_s: float = RETRY_S
    ) -> None:
        self._bus = bus
        self._tracer = tracer
        self._shards = shards
        self._answer_timeout_s = answer_timeout_s
        self._retry_s = retry_s

    async def ask(
        self, operation: str, merchant: str, question: msgspec.Struct, answers: msgspec.json.Decoder[T], parent: Span
    ) -> T | Silence:
        """The answer of the merchant's shard, or why there is none. `operation` is one of subjects.AUTH_OPERATIONS."""
        return await self.ask_shard(operation, shard_of(merchant, self._shards), question, answers, parent)

    async def ask_shard(
        self,
        operation: str,
        shard: int,
        question: msgspec.Struct,
        answers: msgspec.json.Decoder[T],
        parent: Span,
        *,
        within_s: float | None = None,
    ) -> T | Silence:
        """The same of a shard that is named."""
        subject, within_s = subjects.auth(shard, operation), within_s or self._answer_timeout_s
        with self._tracer.span(spans.SEND[operation], parent=parent, attributes={"lianji.shard": shard}) as span:
            answer = await self._deliver(subject, codec.encode(question), span, within_s)
            if isinstance(answer, Silence):
                span.error(answer.name)
                log.warning("no answer from the switch", subject=subject, silence=answer.value, trace_id=span.trace_id)
                return answer
            try:
                return answers.decode(answer)
            except msgspec.MsgspecError as error:  # it has been worked on, and nobody knows what came of it
                span.error(Silence.UNKNOWN.name)
                log.error(
                    "an answer of the switch cannot be read",
                    subject=subject,
                    reason=rule(error),
                    trace_id=span.trace_id,
                )
                return Silence.UNKNOWN

    async def _deliver(self, subject: str, body: bytes, span: Span, within_s: float) -> bytes | Silence:
        """Tries within the deadline until somebody answers.

        Also after a failure that says so at once (an owner that was fenced, a lost connection): the switch knows a transaction by
        its identity, so the next owner either finds it in its journal or has never seen it. One try whose end nobody knows makes
        a silence unknown, whatever the others said.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + within_s
        silence, pause = Silence.NOT_DELIVERED, self._retry_s
        while (remaining := deadline - clock()) > 0:
            try:
                return await self._bus.request(subject, body, timeout_s=remaining, trace=span)
            except SteppedDown:
                silence = Silence.UNKNOWN  # a successor may be at work on it: soon it answers
            except NoAnswer:
                silence = Silence.UNKNOWN
                pause = min(pause * 2, LONGEST_PAUSE_S)  # a handler that fails each time is not hammered
            except NoRoom:
                # An earlier try may have been worked on: then its answer is worth waiting for.
                if silence is Silence.NOT_DELIVERED:
                    return Silence.NO_ROOM
            except NotDelivered:
                pass  # nobody has seen it
            await asyncio.sleep(min(pause, max(deadline - clock(), 0)))
        return silence
