"""Reversals on their way to the issuers: stored in the journal, forwarded in order, until each is acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auth.domain.state import Shard
from auth.issuers import Issuers
from auth.outbox import Outbox
from contracts import response_codes as rc
from contracts.authorization import IssuerReverseRequest
from contracts.journal import Reversed
from runtime import logs
from runtime.bus import BusError
from runtime.ownership import Term
from runtime.trace_context import parse_traceparent
from runtime.tracing import Shape, Tracer

log = logs.get("delivery")


class Delivery(Outbox):
    """One institution's queue of reversals during one term. What the journal calls REVERSING."""

    LONGEST_PAUSE_S = 2.0

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
        super().__init__(term, institution)
        self._issuers = issuers
        self._tracer = tracer
        self._shape = shape
        self._now_ms = now_ms

    def _queue(self) -> Mapping[str, None] | None:
        return self._term.state.reversals.get(self._institution)

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
