"""What the banks say to a transaction, as a record: one bank, or the two of a transfer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from auth.breaker import NO_BREAKERS, Breaker
from auth.domain import authorize, stand_in
from auth.domain.kinds import RULES
from auth.domain.register import StandInTerms
from auth.domain.state import Shard
from auth.domain.transaction import Transaction
from auth.issuers import Issuers
from auth.measures import ANSWERED, NO_ANSWER, NOT_DELIVERED, Measures
from contracts.authorization import AuthorizeRequest, CardData, IssuerReply, IssuerRequest
from contracts.journal import Record
from contracts.pan import Pan
from contracts.response_codes import APPROVALS, APPROVED, ISSUER_TIMEOUT, ISSUER_UNAVAILABLE
from contracts.states import State
from runtime.bus import NoAnswer, NotDelivered
from runtime.tracing import Shape, Span, Tracer

_NEVER: Mapping[str, StandInTerms] = {}
_UTC_PLUS_8_S = 8 * 3600
"""A card is good to the end of its month where the merchants are."""


class Asking:
    """Asks for one shard."""

    def __init__(
        self,
        issuers: Issuers,
        *,
        tracer: Tracer,
        shapes: Mapping[str, Mapping[str, Shape]],
        measures: Measures,
        now_ms: Callable[[], int],
        breakers: Mapping[str, Breaker] = NO_BREAKERS,
        stand_in: Mapping[str, StandInTerms] = _NEVER,
    ) -> None:
        """`shapes`: spans.sending by institution. A bank without a breaker is always asked."""
        self._issuers = issuers
        self._tracer = tracer
        self._shapes = shapes
        self._measures = measures
        self._now_ms = now_ms
        self._breakers = breakers
        self._stand_in = stand_in

    async def word(
        self,
        shard: Shard,
        transaction: Transaction,
        decision: authorize.Forward,
        message: AuthorizeRequest,
        span: Span,
    ) -> Record | None:
        """The record that ends the intent, or a late answer; None when a reversal has come in between and there is nothing to add."""
        part = message.takes_part and RULES[message.kind].part
        question = IssuerRequest(
            transaction=decision.id,
            rrn=decision.rrn,
            kind=message.kind,
            terminal=message.terminal,
            merchant=message.merchant,
            amount_minor=message.amount_minor,
            currency=message.currency,
            entry_mode=message.entry_mode,
            card=message.card,
            kept_from=shard.kept_from(message.terminal),
            original=decision.original,
            instalment=message.instalment,
            takes_part=part,
            chip_reader=message.chip_reader,
        )
        trace, give_up_s = span.traceparent, self._issuers.deadline_s()
        try:
            answer = await self._ask(decision.institution, question, span, give_up_s)
        except NotDelivered:
            return self._without(shard, transaction, message, trace)
        except NoAnswer:
            return authorize.no_word(transaction, at_ms=self._now_ms(), trace=trace)
        if message.target is not None and answer.response_code == APPROVED and transaction.state is State.INTENT:
            # The payer's half stands, and nobody has taken the transfer back: now, and within the same time, the other half.
            code = await self._second(
                decision.target_institution, _incoming(question, message.target.pan), span, give_up_s
            )
            if code != APPROVED:
                return authorize.half_done(transaction, code, at_ms=self._now_ms(), trace=trace)
        return authorize.conclude(transaction, answer, takes_part=part, at_ms=self._now_ms(), trace=trace)

    def _without(self, shard: Shard, transaction: Transaction, message: AuthorizeRequest, trace: str) -> Record | None:
        """The bank has not got the question: a no, or the switch's own word where it stands in."""
        terms, at_ms = self._stand_in.get(transaction.institution), self._now_ms()
        if terms is not None:
            today = time.strftime("%y%m", time.gmtime(at_ms / 1000 + _UTC_PLUS_8_S))
            record = stand_in.word(terms, shard, transaction, message, at_ms=at_ms, today=today, trace=trace)
            if record is not None:
                return record
        return authorize.not_reached(transaction, at_ms=at_ms, trace=trace)

    async def _second(self, institution: str, question: IssuerRequest, span: Span, give_up_s: float) -> str:
        """The second bank's code; 91 when it was not reached, 68 when nobody knows."""
        try:
            return (await self._ask(institution, question, span, give_up_s)).response_code
        except NotDelivered:
            return ISSUER_UNAVAILABLE
        except NoAnswer:
            return ISSUER_TIMEOUT

    async def _ask(self, institution: str, question: IssuerRequest, span: Span, give_up_s: float) -> IssuerReply:
        """Raises NotDelivered, which BreakerOpen is, or NoAnswer."""
        breaker = self._breakers.get(institution)
        if breaker is not None:
            breaker.admit()
        with self._tracer.span(self._shapes[institution]["authorize"], parent=span) as child:
            asked = self._measures.asked(institution, child)
            try:
                answer = await self._issuers.authorize(institution, question, child, give_up_s=give_up_s)
            except NotDelivered:
                asked(NOT_DELIVERED)
                if breaker is not None:
                    breaker.silent()
                child.error("NotDelivered")
                raise
            except NoAnswer:
                asked(NO_ANSWER)
                if breaker is not None:
                    breaker.silent()
                child.error("NoAnswer")
                raise
            asked(ANSWERED)
            if breaker is not None:
                breaker.answered()
            child.set("lianji.response_code", answer.response_code)
            if answer.response_code not in APPROVALS:
                child.error(answer.response_code)
            return answer


def _incoming(question: IssuerRequest, target: Pan) -> IssuerRequest:
    """The second half of a transfer: the amount comes to `target`, of which nothing but the number was keyed."""
    return replace(question, card=CardData(pan=target), incoming=True)
