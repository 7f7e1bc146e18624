"""What the banks say to a transaction: one bank, or the two of a transfer; and what follows from it, as a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

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


class Said(NamedTuple):
    """What the banks have said. Nothing is concluded from it yet."""

    answer: IssuerReply | None = None
    """None: the bank was not reached, or has not answered."""
    reached: bool = True
    """False: the bank has surely not got the question."""
    second: str = APPROVED
    """Of a transfer whose first half stands, how the second one went: anything but 00 undoes both."""


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

    async def ask(
        self, shard: Shard, transaction: Transaction, decision: authorize.Forward, message: AuthorizeRequest, span: Span
    ) -> Said:
        """Asks, and concludes nothing: until the answer is acted upon the shard may change."""
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
            takes_part=_takes_part(message),
            chip_reader=message.chip_reader,
        )
        give_up_s = self._issuers.deadline_s()
        try:
            answer = await self._ask(decision.institution, question, span, give_up_s)
        except NotDelivered:
            return Said(reached=False)
        except NoAnswer:
            return Said()
        if message.target is None or answer.response_code != APPROVED or transaction.state is not State.INTENT:
            return Said(answer)
        # The payer's half stands, and nobody has taken the transfer back: now, and within the same time, the other half.
        incoming = _incoming(question, message.target.pan)
        return Said(answer, second=await self._second(decision.target_institution, incoming, span, give_up_s))

    def conclude(
        self, shard: Shard, transaction: Transaction, said: Said, message: AuthorizeRequest, trace: str
    ) -> Record | None:
        """The record that ends the intent, or a late answer; None when a reversal has come in between and there is nothing to add. It is true of
        the shard of this moment: to be appended before anything is awaited."""
        if not said.reached:
            return self._without(shard, transaction, message, trace)
        at_ms = self._now_ms()
        if said.answer is None:
            return authorize.no_word(transaction, at_ms=at_ms, trace=trace)
        if said.second != APPROVED:
            return authorize.half_done(transaction, said.second, at_ms=at_ms, trace=trace)
        return authorize.conclude(transaction, said.answer, takes_part=_takes_part(message), at_ms=at_ms, trace=trace)

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


def _takes_part(message: AuthorizeRequest) -> bool:
    return message.takes_part and RULES[message.kind].part


def _incoming(question: IssuerRequest, target: Pan) -> IssuerRequest:
    """The second half of a transfer: the amount comes to `target`, of which nothing but the number was keyed."""
    return replace(question, card=CardData(pan=target), incoming=True)
