"""What chips have made of their banks' orders, at the switch's NATS edge: on to the bank that gave them, and its word back.

Nothing is journalled: the terminal tells it until the bank has it, and the bank knows what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from auth import spans
from auth.domain.state import Shard
from auth.issuers import Issuers
from auth.measures import ANSWERED, NO_ANSWER, NOT_DELIVERED, Measures
from contracts import response_codes as rc
from contracts.codec import encode
from contracts.identity import transaction_id
from contracts.reading import reader
from contracts.script_results import IssuerScriptResultsRequest, ScriptResultsReply, ScriptResultsRequest
from runtime.bus import NoAnswer, NotDelivered, Request
from runtime.ownership import Term
from runtime.tracing import Shape, Span, Tracer
from runtime.transactions import SCRIPT_RESULTS

_request = reader(ScriptResultsRequest)


class Scripting:
    """Of one term of office."""

    def __init__(
        self,
        term: Term[Shard],
        shard: int,
        *,
        issuers: Issuers,
        tracer: Tracer,
        shapes: Mapping[str, Mapping[str, Shape]],
        measures: Measures,
        now_ms: Callable[[], int],
    ) -> None:
        """`shapes`: spans.sending by institution."""
        self._term = term
        self._issuers = issuers
        self._tracer = tracer
        self._processing = spans.processing(shard)["script-results"]
        self._shapes = shapes
        self._measures = measures
        self._now_ms = now_ms

    async def on_script_results(self, request: Request) -> bytes:
        """ScriptResultsRequest → ScriptResultsReply."""
        message = _request(request.body)
        with (
            self._measures.transactions.begin(SCRIPT_RESULTS) as counted,
            self._tracer.span(self._processing, parent=request.trace) as span,
        ):
            id_ = transaction_id(message.terminal, message.batch, message.stan)
            known = self._term.state.transactions.get(id_)
            if known is None or not known.institution:
                await self._term.prove()  # "nobody knows it" is final for the terminal
                institution, code = "", rc.ORIGINAL_NOT_FOUND
            else:
                institution = known.institution
                question = IssuerScriptResultsRequest(transaction=id_, counter=message.counter, results=message.results)
                code = await self._ask(institution, question, span)
            span.set("lianji.response_code", code)
            if code != rc.APPROVED:
                span.error(code)
            counted.institution = institution
            counted.answered("script results", code, span, transaction=id_, results=message.results)
            return encode(ScriptResultsReply(response_code=code, institution=institution, at_ms=self._now_ms()))

    async def _ask(self, institution: str, question: IssuerScriptResultsRequest, span: Span) -> str:
        """The bank's word; 91 where it was not reached. NoAnswer goes up: nobody is told anything, and the terminal says it again."""
        with self._tracer.span(self._shapes[institution]["script-results"], parent=span) as child:
            asked = self._measures.asked(institution, child)
            try:
                reply = await self._issuers.script_results(institution, question, child)
            except NotDelivered:
                asked(NOT_DELIVERED)
                child.error("NotDelivered")
                return rc.ISSUER_UNAVAILABLE
            except NoAnswer:
                asked(NO_ANSWER)
                child.error("NoAnswer")
                raise
            asked(ANSWERED)
            return reply.response_code
