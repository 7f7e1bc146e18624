"""A transaction on its way to its bank and back: the intent, the bank's word and the outcome, in the order in which they may be made known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from auth.asking import Asking
from auth.domain import authorize
from auth.domain.state import Shard
from auth.queues import Queues
from contracts.authorization import AuthorizeReply, AuthorizeRequest
from contracts.journal import Record
from runtime import logs
from runtime.bus import NoAnswer
from runtime.log import Appended, LogError
from runtime.ownership import Term
from runtime.tracing import Span

log = logs.get("auth")


class Append(Protocol):
    """auth.handlers.ShardOffice._append."""

    def __call__(
        self, span: Span, what: str, records: Sequence[Record], *, handed_over: asyncio.Future[None] | None = None
    ) -> asyncio.Future[Appended]: ...


class Forwarding:
    """Of one shard."""

    def __init__(self, asking: Asking, queues: Queues, append: Append, *, now_ms: Callable[[], int]) -> None:
        self._asking = asking
        self._queues = queues
        self._append = append
        self._now_ms = now_ms
        self.running: dict[str, asyncio.Future[AuthorizeReply]] = {}
        """By id, the requests that are in hand."""

    async def run(
        self, term: Term[Shard], decision: authorize.Forward, message: AuthorizeRequest, span: Span
    ) -> AuthorizeReply:
        """Keeps the transaction findable for repetitions that come while it runs."""
        future: asyncio.Future[AuthorizeReply] = asyncio.get_running_loop().create_future()
        self.running[decision.id] = future
        try:
            reply = await self._forwarded(term, decision, message, span)
        except BaseException as error:
            future.set_exception(NoAnswer(f"the first request failed ({type(error).__name__})"))
            future.exception()  # seen: there may be no repetition waiting for it
            raise
        else:
            future.set_result(reply)
            return reply
        finally:
            del self.running[decision.id]

    async def _forwarded(
        self, term: Term[Shard], decision: authorize.Forward, message: AuthorizeRequest, span: Span
    ) -> AuthorizeReply:
        """`_forward`, and what is to be said when it fails by a bug: an intent that stayed open until the next owner comes would
        hold up its repetitions and its batch's close. Nobody knows what the bank has done, so it ends as it does when the bank is silent."""
        try:
            return await self._forward(term, decision, message, span)
        except LogError:
            raise  # the term is over: the next owner finds the intent
        except Exception as error:
            log.error(
                "a failure of ours, an open intent is ended without its bank's word",
                transaction=decision.id,
                error=type(error).__name__,
                trace_id=span.trace_id,
                exc_info=True,
            )
            transaction = term.state.transactions.get(decision.id)
            if transaction is None:
                raise
            record = authorize.no_word(transaction, at_ms=self._now_ms(), trace=span.traceparent)
            if record is not None:
                await self._append(span, "outcome", [record])
                self._queues.notify(term.state)
            await term.flushed()
            return authorize.reply_of(transaction)

    async def _forward(
        self, term: Term[Shard], decision: authorize.Forward, message: AuthorizeRequest, span: Span
    ) -> AuthorizeReply:
        # Write ahead: the intent's group has left for the broker before the issuer is asked. Its acknowledgement overlaps the
        # issuer's work, and the outcome cannot be acknowledged before it.
        handed_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        intent = self._append(span, "intent", decision.records, handed_over=handed_over)
        transaction = term.state.transactions[decision.id]
        await handed_over
        asked_s = time.monotonic()
        try:
            said = await self._asking.ask(term.state, transaction, decision, message, span)
        finally:
            issuer_ms = round((time.monotonic() - asked_s) * 1000)
            await intent
        # Concluded only now, and applied by the append in the same turn of the loop: while the intent was waited for a reversal may have come,
        # or what the switch stands in for with a card may have grown.
        record = self._asking.conclude(term.state, transaction, said, message, span.traceparent)
        if record is not None:
            await self._append(span, "outcome", [record])
            self._queues.notify(term.state)
        else:
            await term.flushed()
        return authorize.reply_of(transaction, issuer_ms=issuer_ms)
