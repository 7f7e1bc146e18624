"""The NATS edge of one bank: a request in, a decision, its records on the ledger, the answer out.

Between reading the state and handing the records to the term nothing waits, so two requests never decide on the same state. An answer
leaves when its records are acknowledged; one that is given from memory waits for whatever memory is ahead of the log.
When the term is over, the error of the append goes out of the handler: the caller learns that the outcome is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from contracts import codec
from contracts import response_codes as rc
from contracts.authorization import IssuerReply, IssuerRequest, IssuerReverseReply, IssuerReverseRequest
from contracts.ledger import LedgerRecord
from contracts.pan import Pan
from contracts.reading import UnreadableError, reader
from issuer_sim.cards import CardOnFile
from issuer_sim.checks import CardChecks, expired
from issuer_sim.domain.accounts import State
from issuer_sim.domain.decide import Decision, decide, decide_reverse
from issuer_sim.domain.facts import NO_EVIDENCE, Asked, Evidence
from issuer_sim.domain.scripted import PLAIN, Script, script_for
from issuer_sim.line import Line
from runtime import logs
from runtime.bus import Request
from runtime.log import Appended
from runtime.tracing import Span, Tracer

log = logs.get("issuer")

_authorize = reader(IssuerRequest)
_reverse = reader(IssuerReverseRequest)


class Ledger(Protocol):
    """The term of office, as far as the handlers use it (runtime.ownership.Term)."""

    @property
    def state(self) -> State: ...

    def append(self, records: Sequence[LedgerRecord]) -> asyncio.Future[Appended]: ...

    async def flushed(self) -> None: ...


class Bank(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank is beside its ledger."""

    institution: str
    cards: dict[Pan, CardOnFile]
    checks: CardChecks
    scripted: bool
    line: Line


class Handlers:
    """Answers one bank's requests during one term of office."""

    def __init__(self, bank: Bank, ledger: Ledger, tracer: Tracer, now_ms: Callable[[], int]) -> None:
        self._bank = bank
        self._ledger = ledger
        self._tracer = tracer
        self._now_ms = now_ms
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Lets go of every request that waits because its script says so; they stay unanswered."""
        self._closing.set()

    async def authorize(self, request: Request) -> bytes | None:
        """IssuerRequest → IssuerReply."""
        with self._span("authorize at issuer", request) as span:
            try:
                asked = _authorize(request.body)
            except UnreadableError as error:
                _unreadable(request, error, span)
                return codec.encode(IssuerReply(response_code=rc.FORMAT_ERROR))
            span.set("transaction", asked.transaction)
            script = script_for(asked.amount_minor) if self._bank.scripted else PLAIN
            if script.decide_after_s and await self._closed_within(script.decide_after_s):
                return None
            await self._bank.checks.learn_key(asked.card)
            decision = self._decide(asked, script, span)
            await self._stand(decision.records, span)
            return await self._answer(asked.transaction, decision, span)

    async def reverse(self, request: Request) -> bytes | None:
        """IssuerReverseRequest → IssuerReverseReply."""
        with self._span("reverse at issuer", request) as span:
            try:
                asked = _reverse(request.body)
            except UnreadableError as error:
                _unreadable(request, error, span)
                return codec.encode(IssuerReverseReply(response_code=rc.FORMAT_ERROR))
            span.set("transaction", asked.transaction)
            decision = decide_reverse(
                self._ledger.state,
                asked.transaction,
                reason=asked.reason,
                at_ms=self._now_ms(),
                trace=span.context.traceparent,
            )
            await self._stand(decision.records, span)
            self._report("reversal decided", asked.transaction, decision.reply.response_code, span)
            return codec.encode(decision.reply) if await self._bank.line.carries(self._closing) else None

    def _decide(self, asked: IssuerRequest, script: Script, span: Span) -> Decision:
        at_ms = self._now_ms()
        card = self._bank.cards.get(asked.card.pan)
        facts = Asked(
            transaction=asked.transaction,
            account=card.account if card else "",
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            pin_required=card.debit if card else False,
            at_ms=at_ms,
            trace=span.context.traceparent,
        )
        state = self._ledger.state
        repeated = asked.transaction in state.transactions
        evidence = NO_EVIDENCE if card is None or repeated else self._examine(asked, card, at_ms, span)
        return decide(state, facts, evidence, script)

    def _examine(self, asked: IssuerRequest, card: CardOnFile, at_ms: int, span: Span) -> Evidence:
        card_ok = self._bank.checks.card_ok(asked.card, asked.entry_mode)
        with self._tracer.span("verify PIN", parent=span) as verifying:
            pin = self._bank.checks.pin(asked.card, card)
            verifying.set("pin", pin.value)
        return Evidence(expired=expired(asked.card, card, at_ms), card_ok=card_ok, pin=pin)

    async def _stand(self, records: Sequence[LedgerRecord], parent: Span) -> None:
        """Returns when the records, or else all that memory answers from, are acknowledged; raises LogError when the term is over."""
        if not records:
            await self._ledger.flushed()
            return
        with self._tracer.span("append to ledger", parent=parent) as span:
            appended = await self._ledger.append(records)
            span.set("group.sequence", appended.sequence)
            span.set("group.records", appended.records)
            span.set("group.waited_us", max(0, appended.sent_ns - span.start_ns) // 1000)

    async def _answer(self, transaction: str, decision: Decision, span: Span) -> bytes | None:
        if decision.reply is None:
            self._report("authorization left unanswered, as scripted", transaction, "", span)
            return None
        self._report("authorization decided", transaction, decision.reply.response_code, span)
        if decision.answer_after_s and await self._closed_within(decision.answer_after_s):
            return None
        return codec.encode(decision.reply) if await self._bank.line.carries(self._closing) else None

    async def _closed_within(self, delay_s: float) -> bool:
        """Waits as a script says; True when the bank closes meanwhile."""
        try:
            await asyncio.wait_for(self._closing.wait(), delay_s)
        except TimeoutError:
            return False
        return True

    def _span(self, name: str, request: Request) -> Span:
        attributes: dict[str, str | int | float | bool] = {"institution": self._bank.institution}
        return self._tracer.span(name, parent=request.trace, kind="server", attributes=attributes)

    def _report(self, event: str, transaction: str, code: str, span: Span) -> None:
        span.set("response_code", code)
        log.info(
            event,
            institution=self._bank.institution,
            transaction=transaction,
            response_code=code,
            trace_id=span.context.trace_id,
        )


def _unreadable(request: Request, error: UnreadableError, span: Span) -> None:
    span.error(rc.FORMAT_ERROR)
    log.warning("request cannot be read", subject=request.subject, reason=str(error), trace_id=span.context.trace_id)
