"""Reversals on their way to the issuers: stored in the journal, forwarded in order, until each is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from auth.domain.state import Shard
from auth.issuers import Issuers
from contracts import response_codes as rc
from contracts.authorization import IssuerReverseRequest
from contracts.journal import Reversed
from runtime import logs
from runtime.bus import BusError
from runtime.ownership import Term
from runtime.trace_context import parse_traceparent
from runtime.tracing import Shape, Tracer

log = logs.get("delivery")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


class Delivery:
    """One institution's queue of reversals during one term. The queue itself is state: ids that the journal calls REVERSING."""

    def __init__(
        self,
        term: Term[Shard],
        institution: str,
        issuers: Issuers,
        *,
        tracer: Tracer,
        shape: Shape,
        now_ms: Callable[[], int],
    ) -> None:
        self._term = term
        self._institution = institution
        self._issuers = issuers
        self._tracer = tracer
        self._shape = shape
        self._now_ms = now_ms
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Something may have been queued."""
        self._news.set()

    async def run(self) -> None:
        """Delivers until cancelled or the term ends."""
        pause = FIRST_PAUSE_S
        while True:
            queue = self._term.state.reversals.get(self._institution)
            if not queue:
                self._news.clear()
                await self._news.wait()
                continue
            if await self._deliver(next(iter(queue))):
                pause = FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _deliver(self, id_: str) -> bool:
        # An issuer must not undo what the journal may yet call approved: first the REVERSING record, then the message.
        await self._term.flushed()
        transaction = self._term.state.transactions[id_]
        span = self._tracer.span(
            self._shape, parent=parse_traceparent(transaction.trace), attributes={"lianji.rrn": transaction.rrn}
        )
        with span:
            request = IssuerReverseRequest(transaction=id_, reason=transaction.response_code or rc.NO_ISSUER_REPLY)
            try:
                answer = await self._issuers.reverse(self._institution, request, span)
            except BusError as error:
                span.error(type(error).__name__)
                log.warning(
                    "reversal not acknowledged yet", transaction=id_, institution=self._institution, error=str(error)
                )
                return False
            if answer.response_code != rc.APPROVED:
                span.error(answer.response_code)
                log.error(
                    "issuer refused a reversal",
                    transaction=id_,
                    institution=self._institution,
                    code=answer.response_code,
                )
                return False
            record = Reversed(id=id_, institution=self._institution, at_ms=self._now_ms(), trace=span.traceparent)
            await self._term.append([record])
        log.debug("reversal delivered", transaction=id_, institution=self._institution, rrn=transaction.rrn)
        return True
