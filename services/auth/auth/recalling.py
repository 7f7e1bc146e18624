"""Decisions about originals that a shard has forgotten: the settlement ledger is asked, and then decided on the shard as it is by then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from auth import spans
from auth.domain.authorize import Recall
from auth.domain.claims import Recollection
from auth.domain.state import Shard
from auth.recall import Ledger
from contracts.questions import TransactionQuestion
from runtime.ownership import Term
from runtime.tracing import Span, Tracer

D = TypeVar("D")

RECALLS_AT_ONCE = 64
"""Requests of a shard that may wait for the ledger: each of them holds a place that a sale could have. For more it counts as silent."""


class Recalling:
    """Of one shard."""

    def __init__(self, ledger: Ledger, shard: int, *, tracer: Tracer) -> None:
        self._ledger = ledger
        self._shard = shard
        self._tracer = tracer
        self._shape = spans.recalling(shard)
        self._asking: dict[str, asyncio.Future[None]] = {}
        """Requests for which the ledger is being asked: nothing of them is journalled yet."""

    async def decide(
        self,
        decision: D | Recall,
        term: Term[Shard],
        again: Callable[[Recollection | None], D | Recall],
        span: Span,
    ) -> D:
        """Asks until `again` comes to a decision, which it does at the latest when the ledger is silent. The caller acts on it before it awaits
        anything: it is true of the shard of this moment."""
        give_up_s = self._ledger.deadline_s()
        while isinstance(decision, Recall):
            id_ = decision.id
            earlier = self._asking.get(id_)
            if earlier is not None:
                # The same request, or another one under its number: first it is to be known what becomes of that.
                await asyncio.wait([earlier])
                decision = again(None)
                continue
            ended = self._asking[id_] = asyncio.get_running_loop().create_future()
            try:
                decision = again(await self._recall(decision, term, span, give_up_s))
            finally:
                del self._asking[id_]
                ended.set_result(None)
        return decision

    async def _recall(self, asked: Recall, term: Term[Shard], span: Span, give_up_s: float) -> Recollection:
        """What the ledger says once it has read all that is known here; silent when it has not said so in time."""
        if len(self._asking) > RECALLS_AT_ONCE:
            return Recollection(asked.ids, silent=True)
        with self._tracer.span(self._shape, parent=span) as child:
            while True:
                unseen = term.state.unseen
                await term.flushed()
                question = TransactionQuestion(
                    shard=self._shard,
                    sequence=term.log.position.sequence,
                    ids=asked.ids,
                    rrn=asked.rrn,
                    authorization_code=asked.authorization_code,
                )
                recollection = await self._ledger.recall(question, child, give_up_s=give_up_s)
                if recollection.silent:
                    child.error("no answer")
                # Else what stands on something forgotten has changed meanwhile, and the ledger may not have read of it.
                if recollection.silent or term.state.unseen == unseen:
                    return recollection
