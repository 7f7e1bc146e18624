"""The end of a business day on one shard, by order or by the clock: nothing new is begun, what is open is waited for, and the day is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from auth.domain import cut_over
from auth.domain.state import Shard
from auth.waiting import decided
from contracts.authorization import CutOverReply, CutOverRequest
from runtime import logs
from runtime.log import LogError
from runtime.ownership import Term
from runtime.tracing import Shape, Span, Tracer

log = logs.get("auth")

SCHEDULE_LOOK_S = 1.0
"""How often a schedule is held against the clock, which may be set."""


class Cutting:
    """Of one shard."""

    def __init__(
        self,
        shard: int,
        running: Mapping[str, asyncio.Future[Any]],
        *,
        tracer: Tracer,
        shape: Shape,
        at: str,
        now_ms: Callable[[], int],
    ) -> None:
        """`running`: by id, the requests that are in hand; `at`: when a day is ended without an order, HH:MM, or empty."""
        self._shard = shard
        self._running = running
        self._tracer = tracer
        self._shape = shape
        self._at = at
        self._now_ms = now_ms
        self._orders = 0
        self._clock: asyncio.Task[None] | None = None

    @property
    def now(self) -> bool:
        """Whether a day is being ended: nothing new is begun meanwhile (90)."""
        return self._orders > 0

    def open(self, term: Term[Shard]) -> None:
        if self._at:
            self._clock = asyncio.create_task(self._by_the_clock(term))

    async def close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
            self._clock = None

    async def cut(self, term: Term[Shard], order: CutOverRequest, span: Span) -> CutOverReply:
        """The answer once it is durable; raises LogError when the term is over."""
        self._orders += 1
        try:
            decision = await decided(
                lambda: cut_over.decide(term.state, order, at_ms=self._now_ms(), trace=span.traceparent), self._running
            )
            if decision.records:
                await term.append(decision.records)
                log.info("business day ended", shard=self._shard, day=order.day)
            else:
                await term.prove()
            if decision.reply.refused:
                span.error("refused")
            return decision.reply
        finally:
            self._orders -= 1

    async def _by_the_clock(self, term: Term[Shard]) -> None:
        """Ends each day when its time has come, also one whose time came while nobody was in office."""
        while True:
            day = cut_over.due_day(self._at, self._now_ms())
            if day > term.state.day:
                try:
                    with self._tracer.span(self._shape) as span:
                        await self.cut(term, CutOverRequest(day=day), span)
                except LogError as error:
                    log.warning("the business day is left to the next owner", shard=self._shard, reason=str(error))
                    return
                except Exception as error:  # a bug must not keep the days from ending for the rest of the term
                    log.error(
                        "business day not ended, trying on",
                        shard=self._shard,
                        error=type(error).__name__,
                        exc_info=True,
                    )
            await asyncio.sleep(SCHEDULE_LOOK_S)
