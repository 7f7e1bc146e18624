"""What banks are to be told during one term of office: reversals, and advices of what was approved in their stead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from auth import spans
from auth.advising import Advising
from auth.breaker import Breaker
from auth.delivery import Delivery
from auth.domain.state import Shard
from auth.issuers import Issuers
from auth.measures import Measures
from auth.outbox import Outbox
from runtime import logs
from runtime.log import LogError
from runtime.ownership import Term
from runtime.tracing import Shape, Tracer

log = logs.get("auth")


class Queues:
    """Of one shard. They are emptied from `open` to `close`."""

    def __init__(
        self,
        shard: int,
        issuers: Issuers,
        *,
        tracer: Tracer,
        shapes: Mapping[str, Mapping[str, Shape]],
        measures: Measures,
        breakers: Mapping[str, Breaker],
        now_ms: Callable[[], int],
    ) -> None:
        """`shapes`: spans.sending by institution, of all that there are."""
        self._shard = shard
        self._institutions = tuple(shapes)
        self._issuers = issuers
        self._tracer = tracer
        self._shapes = shapes
        self._measures = measures
        self._breakers = breakers
        self._now_ms = now_ms
        self._reversals: dict[str, Delivery] = {}
        self._advices: dict[str, Advising] = {}
        self._workers: list[asyncio.Task[None]] = []

    def open(self, term: Term[Shard]) -> None:
        """Also for banks for which the switch stands in no more: what it has approved is still to be told."""
        self._reversals = {
            i: Delivery(
                term, i, self._issuers, tracer=self._tracer, shape=self._shapes[i]["reverse"], now_ms=self._now_ms
            )
            for i in self._institutions
        }
        self._advices = {
            i: Advising(
                term,
                i,
                self._issuers,
                tracer=self._tracer,
                shape=spans.ADVISING,
                now_ms=self._now_ms,
                breaker=self._breakers.get(i),
                refused=partial(self._measures.advice_refused, i),
            )
            for i in self._institutions
        }
        queues: list[Outbox] = [*self._reversals.values(), *self._advices.values()]
        self._workers = [asyncio.create_task(self._empty(queue)) for queue in queues]

    async def close(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []

    def notify(self, state: Shard) -> None:
        """Wakes those that have something to do: on the path that is none of them, nearly always."""
        for institution, delivery in self._reversals.items():
            if state.reversals.get(institution):
                delivery.notify()
        for institution in state.advices.queues:
            self._advices[institution].notify()

    async def _empty(self, queue: Outbox) -> None:
        while True:
            try:
                await queue.run()
            except LogError as error:
                log.warning("what banks are to be told is left to the next owner", shard=self._shard, reason=str(error))
                return
            except Exception as error:  # a bug must not stop it for the rest of the term
                log.error("delivery failed, going on", shard=self._shard, error=type(error).__name__, exc_info=True)
                await asyncio.sleep(Delivery.LONGEST_PAUSE_S)
