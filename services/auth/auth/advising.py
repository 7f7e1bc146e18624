"""Advices on their way to a bank: what the switch has approved in its stead, and notices that it has not answered; stored in the journal, forwarded
until it acknowledges: in order, but that what it puts off lets the others go first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auth.breaker import Breaker
from auth.domain import stand_in
from auth.domain.state import Shard
from auth.issuers import Issuers
from auth.outbox import Outbox
from contracts import response_codes as rc
from contracts.authorization import AdviseRequest
from runtime import logs
from runtime.bus import BusError
from runtime.ownership import Term
from runtime.trace_context import parse_traceparent
from runtime.tracing import Shape, Tracer

log = logs.get("advising")


class Advising(Outbox):
    """One institution's queue of advices during one term. See auth.domain.advices."""

    LONGEST_PAUSE_S = 5.0

    def __init__(
        self,
        term: Term[Shard],
        institution: str,
        issuers: Issuers,
        *,
        tracer: Tracer,
        shape: Shape,
        now_ms: Callable[[], int],
        breaker: Breaker | None,
        refused: Callable[[], None],
    ) -> None:
        """`refused` is called for each advice that the bank has refused for good."""
        super().__init__(term, institution)
        self._issuers = issuers
        self._tracer = tracer
        self._shape = shape
        self._now_ms = now_ms
        self._breaker = breaker
        self._refused = refused
        self._put_off: set[str] = set()
        """Ids that the bank has not taken, and may take later: the others come first."""

    def _queue(self) -> Mapping[str, None] | None:
        return self._term.state.advices.queues.get(self._institution)

    def _first(self, queue: Mapping[str, None]) -> str:
        """One that it does not take, or whose card number no gateway can open, must not hold up all others, and with them every claim on them."""
        first = next((id_ for id_ in queue if id_ not in self._put_off), None)
        if first is None:
            self._put_off.clear()
            first = super()._first(queue)
        return first

    async def _deliver(self, id_: str) -> bool:
        # The bank books what it is told: first the approval stands in the log, then the bank hears of it.
        await self._term.flushed()
        transaction = self._term.state.transactions[id_]
        stood_in = transaction.more.stand_in
        if stood_in is None:
            return True  # reversed while the log was waited for: the queue has let go of it
        with self._tracer.span(
            self._shape, parent=parse_traceparent(transaction.trace), attributes={"lianji.rrn": transaction.rrn}
        ) as span:
            advice = AdviseRequest(
                institution=self._institution,
                transaction=id_,
                rrn=transaction.rrn,
                kind=transaction.kind,
                terminal=transaction.terminal,
                merchant=transaction.merchant,
                amount_minor=transaction.amount_minor,
                currency=transaction.currency,
                entry_mode=stood_in.entry_mode,
                authorization_code=transaction.authorization_code,
                card=stood_in.card,
                original=transaction.more.original,
                counter=stood_in.counter,
            )
            try:
                code = (await self._issuers.advise(advice, span)).response_code
            except BusError as error:
                span.error(type(error).__name__)
                self._put_off.add(id_)
                log.warning(
                    "advice not acknowledged yet", transaction=id_, institution=self._institution, error=str(error)
                )
                return False
            if self._breaker is not None:
                self._breaker.answered()
            if rc.may_pass(code):
                span.error(code)
                self._put_off.add(id_)
                log.warning("advice not taken yet", transaction=id_, institution=self._institution, code=code)
                return False
            if code != rc.APPROVED:
                span.error(code)
                self._refused()
                log.error("a bank refused an advice", transaction=id_, institution=self._institution, code=code)
            record = stand_in.advised(transaction, code, at_ms=self._now_ms(), trace=span.traceparent)
            if record is not None:
                await self._term.append([record])
        log.debug("advice delivered", transaction=id_, institution=self._institution, rrn=transaction.rrn)
        return True
