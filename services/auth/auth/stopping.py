"""The stop list of a shard at its NATS edge: what banks tell, what terminals download, and whether one card is on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from auth import spans
from auth.domain import stop_list
from auth.domain.state import Shard
from auth.measures import Measures
from contracts import response_codes as rc
from contracts.codec import encode
from contracts.reading import reader
from contracts.stop_list import StopCheckReply, StopCheckRequest, StopListQuestion, StopRequest
from runtime import append_spans
from runtime.bus import Request
from runtime.ownership import Term
from runtime.tracing import Tracer
from runtime.transactions import STOP_CHECK, STOP_LIST, STOP_NOTICE

_stop = reader(StopRequest)
_question = reader(StopListQuestion)
_check = reader(StopCheckRequest)


class Stopping:
    """Of one term of office."""

    def __init__(
        self, term: Term[Shard], shard: int, tracer: Tracer, measures: Measures, now_ms: Callable[[], int]
    ) -> None:
        self._term = term
        self._tracer = tracer
        self._processing, self._appending = spans.processing(shard), spans.appending(shard)["stop"]
        self._measures = measures
        self._now_ms = now_ms

    @property
    def handlers(self) -> dict[str, Callable[[Request], Awaitable[bytes]]]:
        """By operation (subjects.AUTH_OPERATIONS)."""
        return {"stop": self.on_stop, "stop-list": self.on_stop_list, "stop-check": self.on_stop_check}

    async def on_stop(self, request: Request) -> bytes:
        """StopRequest → StopReply, once the list's new version is durable."""
        message = _stop(request.body)
        with (
            self._measures.transactions.begin(STOP_NOTICE) as counted,
            self._tracer.span(self._processing["stop"], parent=request.trace) as span,
        ):
            # From here on the switch refuses the card: the memory is ahead of the journal, and a refusal waits for the same group.
            listing = stop_list.decide(self._term.state.stops, message, at_ms=self._now_ms(), trace=span.traceparent)
            if listing.record is None:
                await self._term.flushed()  # what is known of the entry may still be on its way to the journal
            else:
                with self._tracer.span(self._appending, parent=span) as child:
                    append_spans.tell(child, await self._term.append([listing.record]))
            code = listing.reply.response_code
            span.set("lianji.response_code", code)
            facts = {"institution": message.institution, "entry": message.entry, "revision": message.revision}
            counted.answered("stop list", code, span, **facts, version=listing.reply.version, reason=message.reason)
            return encode(listing.reply)

    async def on_stop_list(self, request: Request) -> bytes:
        """StopListQuestion → StopListPage."""
        question = _question(request.body)
        with (
            self._measures.transactions.begin(STOP_LIST) as counted,
            self._tracer.span(self._processing["stop-list"], parent=request.trace) as span,
        ):
            page = stop_list.page(self._term.state.stops, question)
            await self._term.prove()
            counted.answered("stop list read", page.response_code, span, version=page.version)
            return encode(page)

    async def on_stop_check(self, request: Request) -> bytes:
        """StopCheckRequest → StopCheckReply."""
        asked = _check(request.body)
        with (
            self._measures.transactions.begin(STOP_CHECK) as counted,
            self._tracer.span(self._processing["stop-check"], parent=request.trace) as span,
        ):
            stops = self._term.state.stops
            if not self._term.state.terminal(asked.terminal).signed_on:
                code = rc.BATCH_DIFFERS
            else:
                first, *others = asked.digests or ("",)
                code = stops.reason(first, tuple(others), asked.prefix) or rc.APPROVED
            reply = StopCheckReply(response_code=code, version=stops.version, at_ms=self._now_ms())
            await self._term.prove()
            span.set("lianji.response_code", code)
            counted.answered("card looked up on the stop list", code, span, terminal=asked.terminal)
            return encode(reply)
