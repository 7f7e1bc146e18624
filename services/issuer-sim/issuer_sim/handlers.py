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

from contracts import codec, subjects
from contracts import response_codes as rc
from contracts.authorization import IssuerReply, IssuerRequest, IssuerReverseReply, IssuerReverseRequest
from contracts.kinds import CLAIMS, KINDS
from contracts.ledger import LedgerRecord
from contracts.pan import Pan
from contracts.reading import UnreadableError, reader
from contracts.script_results import IssuerScriptResultsReply, IssuerScriptResultsRequest
from contracts.stop_list import ReportQuestion, ReportReply
from issuer_sim import spans
from issuer_sim.cards import CardOnFile
from issuer_sim.checks import CardChecks, expired
from issuer_sim.chips import Proof
from issuer_sim.domain import expiry
from issuer_sim.domain.accounts import State
from issuer_sim.domain.commands import commands
from issuer_sim.domain.decide import Decision, decide
from issuer_sim.domain.facts import NO_EVIDENCE, Asked, Chip, Evidence
from issuer_sim.domain.reports import decide_report
from issuer_sim.domain.reverse import decide_reverse
from issuer_sim.domain.script_results import decide_script_results
from issuer_sim.domain.scripted import PLAIN, Script, script_for
from issuer_sim.domain.terms import PLAIN_BANK, BankTerms, CardTerms
from issuer_sim.line import Line
from runtime import append_spans, logs
from runtime.bus import Request
from runtime.log import Appended
from runtime.metrics import OTHER, Metrics
from runtime.tracing import Span, Tracer
from runtime.transactions import REPORT, REVERSAL, SCRIPT_RESULTS, Transaction, Transactions

log = logs.get("issuer")

MOST_EXPIRED = 500
"""Holds that are ended in one group."""
_NO_CARD = CardTerms()

_authorize = reader(IssuerRequest)
_reverse = reader(IssuerReverseRequest)
_report = reader(ReportQuestion)
_script_results = reader(IssuerScriptResultsRequest)


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
    bins: tuple[str, ...] = ()
    """How the numbers of its cards begin."""
    terms: BankTerms = PLAIN_BANK
    decide_after_s: float = 0.0
    """How long each request waits before anything is looked at: a slow bank."""


class Handlers:
    """Answers one bank's requests during one term of office."""

    def __init__(
        self,
        bank: Bank,
        ledger: Ledger,
        tracer: Tracer,
        now_ms: Callable[[], int],
        transactions: Transactions | None = None,
    ) -> None:
        self._bank = bank
        self._ledger = ledger
        self._tracer = tracer
        self._now_ms = now_ms
        self._processing = spans.processing(bank.institution)
        self._appending = spans.appending(bank.institution)
        self._transactions = transactions or Transactions(Metrics(), log, [bank.institution])
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Lets go of every request that waits because its script says so; they stay unanswered."""
        self._closing.set()

    async def authorize(self, request: Request) -> bytes | None:
        """IssuerRequest → IssuerReply."""
        return await self._asked(request, "authorize", stood_in=False)

    async def advise(self, request: Request) -> bytes | None:
        """IssuerRequest → IssuerReply, of what the switch has approved in this bank's stead."""
        return await self._asked(request, subjects.ISSUER_ADVICES, stood_in=True)

    async def _asked(self, request: Request, operation: str, *, stood_in: bool) -> bytes | None:
        with (
            self._counted(OTHER) as counted,
            self._tracer.span(self._processing[operation], parent=request.trace) as span,
        ):
            try:
                asked = _authorize(request.body)
            except UnreadableError as error:
                _unreadable(request, error, span, counted)
                return codec.encode(IssuerReply(response_code=rc.FORMAT_ERROR))
            counted.kind = asked.kind.value
            span.set("lianji.kind", asked.kind.value)
            span.set("lianji.rrn", asked.rrn)
            if stood_in and asked.kind in CLAIMS and not asked.original:
                # From a gateway of before, which does not pass it on: left unanswered, it comes again by another one.
                log.error("an advice does not say what it is about", transaction=asked.transaction, rrn=asked.rrn)
                return None
            script = script_for(asked.amount_minor) if self._bank.scripted and not stood_in else PLAIN
            wait_s = script.decide_after_s + self._bank.decide_after_s
            if wait_s and await self.closed_within(wait_s):
                return None
            await self._bank.checks.learn_key(asked.card)
            proof = self._proof(asked)
            decision = _to_the_chip(
                self._bank, asked, proof, self._decide(asked, proof, script, span, stood_in=stood_in)
            )
            await self._stand(decision.records, span)
            return await self._answer(asked.transaction, decision, span, counted)

    async def reverse(self, request: Request) -> bytes | None:
        """IssuerReverseRequest → IssuerReverseReply."""
        with (
            self._counted(REVERSAL) as counted,
            self._tracer.span(self._processing["reverse"], parent=request.trace) as span,
        ):
            try:
                asked = _reverse(request.body)
            except UnreadableError as error:
                _unreadable(request, error, span, counted)
                return codec.encode(IssuerReverseReply(response_code=rc.FORMAT_ERROR))
            span.set("lianji.kind", REVERSAL)
            span.set("lianji.transaction", asked.transaction)
            decision = decide_reverse(
                self._ledger.state,
                asked.transaction,
                reason=asked.reason,
                at_ms=self._now_ms(),
                trace=span.traceparent,
            )
            await self._stand(decision.records, span)
            code = decision.reply.response_code
            span.set("lianji.response_code", code)
            if not await self._bank.line.carries(self._closing):
                return None
            counted.answered("reversal decided", code, span, transaction=asked.transaction)
            return codec.encode(decision.reply)

    async def script_results(self, request: Request) -> bytes | None:
        """IssuerScriptResultsRequest → IssuerScriptResultsReply, when the ledger has it."""
        with (
            self._counted(SCRIPT_RESULTS) as counted,
            self._tracer.span(self._processing["script-results"], parent=request.trace) as span,
        ):
            try:
                asked = _script_results(request.body)
            except UnreadableError as error:
                _unreadable(request, error, span, counted)
                return codec.encode(IssuerScriptResultsReply(response_code=rc.FORMAT_ERROR))
            told = decide_script_results(self._ledger.state, asked, at_ms=self._now_ms(), trace=span.traceparent)
            await self._stand(told.records, span)
            code = told.reply.response_code
            span.set("lianji.response_code", code)
            if not await self._bank.line.carries(self._closing):
                return None
            counted.answered("script results told", code, span, transaction=asked.transaction, results=asked.results)
            return codec.encode(told.reply)

    async def report(self, request: Request) -> bytes:
        """ReportQuestion → ReportReply, when the report stands in the ledger; that it is told is somebody else's work (telling)."""
        with (
            self._counted(REPORT) as counted,
            self._tracer.span(self._processing["report"], parent=request.trace) as span,
        ):
            try:
                asked = _report(request.body)
            except UnreadableError as error:
                _unreadable(request, error, span, counted)
                return codec.encode(ReportReply(response_code=rc.FORMAT_ERROR))
            decision = decide_report(
                self._ledger.state, asked, self._bank.bins, at_ms=self._now_ms(), trace=span.traceparent
            )
            await self._stand(decision.records, span)
            code = decision.reply.response_code
            span.set("lianji.response_code", code)
            counted.answered("report decided", code, span, account=asked.account, report=asked.report.value)
            return codec.encode(decision.reply)

    async def end_holds(self) -> int:
        """Ends all holds whose term is over by now, and says how many; raises LogError when the term of office is over."""
        ended = 0
        while records := expiry.of_bank(self._ledger.state, self._now_ms(), most=MOST_EXPIRED):
            await self._ledger.append(records)
            ended += len(records)
        return ended

    def _proof(self, asked: IssuerRequest) -> Proof | None:
        """What the chip proves, if there is one; of a repetition too, whose answer holds the bank's word to the chip again."""
        card = asked.card
        if not card.chip or card.pan not in self._bank.cards:
            return None
        return self._bank.checks.chips.prove(card, asked.amount_minor, asked.currency)

    def _decide(
        self, asked: IssuerRequest, proof: Proof | None, script: Script, span: Span, *, stood_in: bool
    ) -> Decision:
        at_ms = self._now_ms()
        card = self._bank.cards.get(asked.card.pan)
        amount_minor, currency = self._bank.terms.booked(asked.amount_minor, asked.currency)
        facts = Asked(
            transaction=asked.transaction,
            kind=asked.kind,
            account=card.account if card else "",
            amount_minor=amount_minor,
            currency=currency,
            billed_minor=asked.amount_minor if currency != asked.currency else 0,
            card=card.terms if card else _NO_CARD,
            bank=self._bank.terms,
            entry_mode=asked.entry_mode,
            original=asked.original,
            incoming=asked.incoming,
            instalment=asked.instalment,
            takes_part=asked.takes_part,
            chip_reader=asked.chip_reader,
            stood_in=stood_in,
            authorization_code=asked.authorization_code,
            at_ms=at_ms,
            trace=span.traceparent,
            kept_from=asked.kept_from,
        )
        state = self._ledger.state
        evidence = Evidence(counter=asked.counter) if stood_in and asked.counter else NO_EVIDENCE
        told = asked.incoming or stood_in
        if card is not None and not told and asked.transaction not in state.transactions:
            evidence = self._examine(asked, card, proof, at_ms, span)
        with self._tracer.span(spans.DECIDE, parent=span):
            return decide(state, facts, evidence, script)

    def _examine(self, asked: IssuerRequest, card: CardOnFile, proof: Proof | None, at_ms: int, span: Span) -> Evidence:
        with self._tracer.span(spans.CHECK_CARD, parent=span):
            card_ok = self._bank.checks.card_ok(asked.card, asked.entry_mode, notice=KINDS[asked.kind].notice)
            is_expired = expired(asked.card, card, at_ms)
        with self._tracer.span(spans.VERIFY_PIN, parent=span) as verifying:
            pin = self._bank.checks.pin(asked.card, card)
            verifying.set("lianji.pin_check", pin.value)
        if not asked.card.chip:
            return Evidence(expired=is_expired, card_ok=card_ok, pin=pin)
        chip, counter = (Chip.WRONG, 0) if proof is None else (Chip.RIGHT, proof.counter)
        return Evidence(expired=is_expired, card_ok=card_ok, pin=pin, chip=chip, counter=counter)

    async def _stand(self, records: Sequence[LedgerRecord], parent: Span) -> None:
        """Returns when the records, or else all that memory answers from, are acknowledged; raises LogError when the term is over."""
        if not records:
            await self._ledger.flushed()
            return
        with self._tracer.span(self._appending, parent=parent) as span:
            append_spans.tell(span, await self._ledger.append(records))

    async def _answer(self, transaction: str, decision: Decision, span: Span, counted: Transaction) -> bytes | None:
        if decision.reply is None:
            who = {"institution": self._bank.institution, "transaction": transaction}
            span.set("lianji.response_code", "none")
            span.error("no answer, as scripted")
            log.info("authorization left unanswered, as scripted", **who, trace_id=span.trace_id)
            return None
        code = decision.reply.response_code
        span.set("lianji.response_code", code)
        if code not in rc.APPROVALS:
            span.error(code)
        if decision.answer_after_s and await self.closed_within(decision.answer_after_s):
            return None
        if not await self._bank.line.carries(self._closing):
            return None
        counted.answered("authorization decided", code, span, transaction=transaction)
        return codec.encode(decision.reply)

    async def closed_within(self, delay_s: float) -> bool:
        """Waits; True when the bank closes meanwhile."""
        try:
            await asyncio.wait_for(self._closing.wait(), delay_s)
        except TimeoutError:
            return False
        return True

    def _counted(self, kind: str) -> Transaction:
        return self._transactions.begin(kind, self._bank.institution)


def _to_the_chip(bank: Bank, asked: IssuerRequest, proof: Proof | None, decision: Decision) -> Decision:
    """The decision with the bank's word to a chip that has proved itself and waits for one."""
    reply = decision.reply
    if proof is None or reply is None or not proof.on_line:
        return decision
    orders = commands(reply.response_code, proof.results, pin_keyed=bool(asked.card.pin_block))
    answer = bank.checks.chips.answer(proof, reply.response_code, orders)
    return decision._replace(reply=msgspec.structs.replace(reply, chip=answer))


def _unreadable(request: Request, error: UnreadableError, span: Span, counted: Transaction) -> None:
    span.error(rc.FORMAT_ERROR)
    counted.refused("request cannot be read", rc.FORMAT_ERROR, span, subject=request.subject, reason=str(error))
