"""The switch at its NATS edge: one office per shard, open for as long as this process owns the shard's journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from auth import spans, unreadable
from auth.asking import Asking
from auth.breaker import NO_BREAKERS, Breaker
from auth.cutting import Cutting
from auth.domain import authorize, reverse, settle, terminals, upload
from auth.domain.claims import Recollection
from auth.domain.register import Register
from auth.domain.state import Shard
from auth.forwarding import Forwarding
from auth.issuers import Issuers
from auth.measures import Measures
from auth.queues import Queues
from auth.recall import Ledger
from auth.recalling import Recalling
from auth.scripting import Scripting
from auth.stopping import Stopping
from auth.waiting import decided
from contracts import subjects
from contracts.authorization import (
    BALANCED,
    AuthorizeReply,
    AuthorizeRequest,
    CutOverRequest,
    ReverseRequest,
    SettleRequest,
    SignOffRequest,
    SignOnRequest,
    UploadRequest,
)
from contracts.codec import encode
from contracts.identity import transaction_id
from contracts.journal import Record
from contracts.reading import reader
from contracts.response_codes import APPROVALS
from runtime import append_spans, logs
from runtime.bus import Bus, NoAnswer, Request, Serving
from runtime.log import Appended, LogError
from runtime.ownership import Term
from runtime.tracing import Span, Tracer
from runtime.transactions import REVERSAL, SETTLEMENT, SIGN_OFF, SIGN_ON, UPLOAD
from runtime.transactions import Transaction as Counted

log = logs.get("auth")

_YES = (*APPROVALS, BALANCED)

_authorize = reader(AuthorizeRequest)
_reverse = reader(ReverseRequest)
_sign_on = reader(SignOnRequest)
_sign_off = reader(SignOffRequest)
_settle = reader(SettleRequest)
_upload = reader(UploadRequest)
_cut_over = reader(CutOverRequest)


class ShardOffice:
    """Answers for one shard. A handler that fails has told nobody anything: the caller asks again and meets what the journal holds."""

    def __init__(
        self,
        *,
        shard: int,
        register: Register,
        bus: Bus,
        issuers: Issuers,
        ledger: Ledger,
        tracer: Tracer,
        now_ms: Callable[[], int],
        concurrency: int,
        measures: Measures | None = None,
        breakers: Mapping[str, Breaker] = NO_BREAKERS,
        cut_over_at: str = "",
    ) -> None:
        """`cut_over_at`: when a business day is ended without an order, HH:MM in the merchants' zone; empty: never."""
        self._measures = measures or Measures.unread(register.institutions)
        self._number = shard
        self._register = register
        self._bus = bus
        self._tracer = tracer
        self._now_ms = now_ms
        self._concurrency = concurrency
        self._processing, self._appending = spans.processing(shard), spans.appending(shard)
        self._sending = {institution: spans.sending(institution) for institution in register.institutions}
        self._issuers = issuers
        self._servings: list[Serving] = []
        self._recalling = Recalling(ledger, shard, tracer=tracer)
        asking = Asking(
            issuers,
            tracer=tracer,
            shapes=self._sending,
            measures=self._measures,
            now_ms=now_ms,
            breakers=breakers,
            stand_in=register.stand_in,
        )
        self._queues = Queues(
            shard,
            issuers,
            tracer=tracer,
            shapes=self._sending,
            measures=self._measures,
            breakers=breakers,
            now_ms=now_ms,
        )
        self._forwarding = Forwarding(asking, self._queues, self._append, now_ms=now_ms)
        self._running = self._forwarding.running
        self._cutting = Cutting(
            shard, self._running, tracer=tracer, shape=self._processing["cut-over"], at=cut_over_at, now_ms=now_ms
        )
        self._term: Term[Shard] | None = None
        self._measures.watch(shard, self._state, now_ms)

    def _state(self) -> Shard | None:
        """What is known of the shard while it is ours."""
        return self._term.state if self._term is not None and not self._term.over else None

    @property
    def _office_term(self) -> Term[Shard]:
        if self._term is None:
            raise LogError("not in office")
        return self._term

    async def open(self, term: Term[Shard]) -> None:
        self._term = term
        self._running.clear()
        left = reverse.abandoned(term.state, at_ms=self._now_ms())
        if left:
            log.warning(
                "open intents of a former owner are ended without their banks' word",
                shard=self._number,
                count=len(left),
            )
            await term.append(left)
        self._queues.open(term)
        self._cutting.open(term)
        handlers = {
            "cut-over": self.on_cut_over,
            "authorize": self.on_authorize,
            "reverse": self.on_reverse,
            "sign-on": self.on_sign_on,
            "sign-off": self.on_sign_off,
            "settle": self.on_settle,
            "upload": self.on_upload,
            "script-results": Scripting(
                term,
                self._number,
                issuers=self._issuers,
                tracer=self._tracer,
                shapes=self._sending,
                measures=self._measures,
                now_ms=self._now_ms,
            ).on_script_results,
            **Stopping(term, self._number, self._tracer, self._measures, self._now_ms).handlers,
        }
        for operation in (*subjects.AUTH_OPERATIONS, *subjects.AUTH_ORDERS):
            subject, handler = subjects.auth(self._number, operation), handlers[operation]
            answering = unreadable.answering(operation, handler, self._now_ms)
            self._servings.append(await self._bus.serve(subject, answering, concurrency=self._concurrency))

    async def close(self) -> None:
        over = self._term is None or self._term.over
        servings, self._servings = self._servings, []
        await asyncio.gather(*(s.stop(cancel=over) for s in servings))
        await self._cutting.close()
        await self._queues.close()

    def _append(
        self, span: Span, what: str, records: Sequence[Record], *, handed_over: asyncio.Future[None] | None = None
    ) -> asyncio.Future[Appended]:
        """Journals `records`: they are applied now, and durable when the future is done. The span shows the wait for their group."""
        child = self._tracer.span(self._appending[what], parent=span)
        future = self._office_term.append(records, handed_over=handed_over)
        future.add_done_callback(partial(append_spans.end, child))
        return future

    # ------------------------------------------------------------------ authorize

    async def on_authorize(self, request: Request) -> bytes:
        """AuthorizeRequest → AuthorizeReply."""
        message = _authorize(request.body)
        with (
            self._measures.transactions.begin(message.kind.value) as counted,
            self._tracer.span(self._processing["authorize"], parent=request.trace) as span,
        ):
            reply = authorize.said_now(await self._authorize(message, span), self._office_term.state)
            self._say(span, message.kind.value, reply.rrn, reply.response_code)
            if reply.institution:
                span.set("lianji.institution", reply.institution)
            counted.institution = reply.institution
            id_ = transaction_id(message.terminal, message.batch, message.stan)
            counted.answered("authorization", reply.response_code, span, transaction=id_, rrn=reply.rrn)
            return encode(reply)

    async def _authorize(self, message: AuthorizeRequest, span: Span) -> AuthorizeReply:
        term = self._office_term
        decision = self._decide(message, span, None)
        if isinstance(decision, authorize.Recall):
            decided: authorize.Decision = await self._recalling.decide(
                decision, term, partial(self._decide, message, span), span
            )
            decision = decided
        match decision:
            case authorize.Refuse(reply):
                # A no that rests on memory alone must prove that the memory is still the owner's: a former owner that was stopped
                # for a while gets the same requests as its successor, and its no would be final for the terminal.
                await term.prove()
                return reply
            case authorize.Repeat(reply):
                span.set("lianji.repeated", True)
                await term.flushed()
                return reply
            case authorize.Incomparable(id_, version):
                log.error(
                    "a repetition cannot be compared: the gateway lacks a data key", transaction=id_, version=version
                )
                raise NoAnswer(
                    f"{id_}: known under version {version or '0'} of the data key, which the request does not say"
                )
            case authorize.InFlight(id_):
                span.set("lianji.repeated", True)
                return await asyncio.shield(self._running[id_])
            case authorize.Decline(id_, records):
                await self._append(span, "decline", records)
                return authorize.reply_of(term.state.transactions[id_])
            case authorize.Forward():
                return await self._forwarding.run(term, decision, message, span)

    def _decide(
        self, message: AuthorizeRequest, span: Span, recollection: Recollection | None
    ) -> authorize.Decision | authorize.Recall:
        return authorize.decide(
            self._register,
            self._office_term.state,
            self._number,
            message,
            at_ms=self._now_ms(),
            trace=span.traceparent,
            recollection=recollection,
            cutting=self._cutting.now,
        )

    # ------------------------------------------------------------------ the rest

    def _say(self, span: Span, kind: str, rrn: str, code: str) -> None:
        """What the span of an answer tells; `code` is field 39, or of a settlement the result digit."""
        span.set("lianji.kind", kind)
        span.set("lianji.response_code", code)
        if rrn:
            span.set("lianji.rrn", rrn)
        if code not in _YES:
            span.error(code)

    async def _decided(
        self, span: Span, counted: Counted, decision: Any, event: str, code: str, **facts: object
    ) -> bytes:
        """Makes a decision's records durable, or proves that what it rests on is still ours to say, and answers."""
        if decision.records:
            await self._append(span, "other", decision.records)
            self._queues.notify(self._office_term.state)
        else:
            await self._office_term.prove()
        counted.answered(event, code, span, repeated=not decision.records, **facts)
        return encode(decision.reply)

    async def on_reverse(self, request: Request) -> bytes:
        """ReverseRequest → ReverseReply."""
        message = _reverse(request.body)
        with (
            self._measures.transactions.begin(REVERSAL) as counted,
            self._tracer.span(self._processing["reverse"], parent=request.trace) as span,
        ):
            decide = partial(self._decide_reversal, message, span)
            decision: reverse.Reversal = await self._recalling.decide(decide(None), self._office_term, decide, span)
            id_ = transaction_id(message.terminal, message.batch, message.stan)
            reply, facts = decision.reply, {"transaction": id_, "reason": message.reason, "rrn": decision.reply.rrn}
            self._say(span, REVERSAL, reply.rrn, reply.response_code)
            return await self._decided(span, counted, decision, "reversal", reply.response_code, **facts)

    def _decide_reversal(
        self, message: ReverseRequest, span: Span, recollection: Recollection | None
    ) -> reverse.Reversal | authorize.Recall:
        return reverse.decide(
            self._register,
            self._office_term.state,
            self._number,
            message,
            at_ms=self._now_ms(),
            trace=span.traceparent,
            recollection=recollection,
        )

    async def on_sign_on(self, request: Request) -> bytes:
        """SignOnRequest → SignOnReply."""
        message = _sign_on(request.body)
        with (
            self._measures.transactions.begin(SIGN_ON) as counted,
            self._tracer.span(self._processing["sign-on"], parent=request.trace) as span,
        ):
            state, trace = self._office_term.state, span.traceparent
            decision = terminals.sign_on(
                self._register, state, self._number, message, at_ms=self._now_ms(), trace=trace
            )
            reply, facts = decision.reply, {"terminal": message.terminal, "batch": decision.reply.batch}
            self._say(span, SIGN_ON, reply.rrn, reply.response_code)
            return await self._decided(span, counted, decision, "sign-on", reply.response_code, **facts)

    async def on_sign_off(self, request: Request) -> bytes:
        """SignOffRequest → SignOffReply."""
        message = _sign_off(request.body)
        with (
            self._measures.transactions.begin(SIGN_OFF) as counted,
            self._tracer.span(self._processing["sign-off"], parent=request.trace) as span,
        ):
            decision = terminals.sign_off(self._register, message, at_ms=self._now_ms(), trace=span.traceparent)
            code, terminal = decision.reply.response_code, message.terminal
            self._say(span, SIGN_OFF, decision.reply.rrn, code)
            return await self._decided(span, counted, decision, "sign-off", code, terminal=terminal)

    async def on_settle(self, request: Request) -> bytes:
        """SettleRequest → SettleReply. Waits for the batch's open intents: the totals are compared when each has an outcome."""
        message = _settle(request.body)
        with (
            self._measures.transactions.begin(SETTLEMENT) as counted,
            self._tracer.span(self._processing["settle"], parent=request.trace) as span,
        ):
            decision = await decided(
                lambda: settle.decide(
                    self._register,
                    self._office_term.state,
                    self._number,
                    message,
                    at_ms=self._now_ms(),
                    trace=span.traceparent,
                ),
                self._running,
            )
            reply = decision.reply
            facts = {"terminal": message.terminal, "batch": message.batch, "rrn": reply.rrn}
            self._say(span, SETTLEMENT, reply.rrn, reply.result)
            return await self._decided(span, counted, decision, "batch close", reply.result, **facts)

    async def on_upload(self, request: Request) -> bytes:
        """UploadRequest → UploadReply. The end of an upload waits for the batch's open intents, as its close does."""
        message = _upload(request.body)
        with (
            self._measures.transactions.begin(UPLOAD) as counted,
            self._tracer.span(self._processing["upload"], parent=request.trace) as span,
        ):
            decision = await decided(
                lambda: upload.decide(
                    self._register,
                    self._office_term.state,
                    self._number,
                    message,
                    at_ms=self._now_ms(),
                    trace=span.traceparent,
                ),
                self._running,
            )
            reply = decision.reply
            facts = {"terminal": message.terminal, "batch": message.batch, "rrn": reply.rrn}
            self._say(span, UPLOAD, reply.rrn, reply.response_code)
            return await self._decided(span, counted, decision, "batch upload", reply.response_code, **facts)

    async def on_cut_over(self, request: Request) -> bytes:
        """CutOverRequest → CutOverReply. Waits for what is open on the shard, and begins nothing new meanwhile (90)."""
        message = _cut_over(request.body)
        with self._tracer.span(self._processing["cut-over"], parent=request.trace) as span:
            return encode(await self._cutting.cut(self._office_term, message, span))
