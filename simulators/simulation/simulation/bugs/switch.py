"""Bugs of the switch."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from auth.domain import authorize, reverse, settle
from auth.domain.state import Shard
from auth.domain.wait import Wait
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from contracts.authorization import IssuerReply, IssuerReverseReply, ReverseReply, ReverseRequest
from contracts.identity import transaction_id
from contracts.journal import Reversing
from contracts.response_codes import APPROVED
from contracts.states import State
from runtime.log import Appended
from runtime.ownership import Term
from simulation.bugs.bug import Replaced

_repeat = authorize._repeat
_authorize, _reverse, _settle = authorize.decide, reverse.decide, settle.decide
_append = ShardOffice._append


def _no_abandoned(shard: Shard, *, at_ms: int) -> list[Any]:
    return []


def _answered_anew(known: Any, request: Any, at_ms: int) -> Any:
    decision = _repeat(known, request, at_ms)
    if not isinstance(decision, authorize.Repeat):
        return decision
    return authorize.Repeat(replace(decision.reply, at_ms=at_ms + 3_600_000))


def _sold_anew(register: Any, shard: Shard, number: int, request: Any, **more: Any) -> Any:
    """A transaction that is known and decided is taken for another one."""
    known = shard.transactions.get(transaction_id(request.terminal, request.batch, request.stan))
    if known is not None and known.state is State.APPROVED:
        other = f"{900_000 + shard.number % 100_000:06d}"
        request = replace(request, stan=other)
    return _authorize(register, shard, number, request, **more)


def _as_before_close(*arguments: Any, **more: Any) -> Any:
    decision = _reverse(*arguments, **more)
    if not isinstance(decision, reverse.Reversal):
        return decision
    records = tuple(replace(r, after_close=False) if isinstance(r, Reversing) else r for r in decision.records)
    return decision._replace(records=records)


def _of_any_terminal(register: Any, shard: Shard, number: int, request: ReverseRequest, **more: Any) -> Any:
    """The trace number alone names the transaction; whose it is, nobody looks."""
    for known in shard.transactions.values():
        if known.stan == request.stan and known.state is State.APPROVED:
            named = {"terminal": known.terminal, "merchant": known.merchant, "batch": known.batch}
            request = replace(request, amount_minor=known.amount_minor, **named)
            break
    return _reverse(register, shard, number, request, **more)


def _no_tombstone(register: Any, id_: str, rrn: str, request: Any, *, at_ms: int, trace: str) -> Any:
    return reverse.Reversal(ReverseReply(response_code=APPROVED, rrn=rrn, at_ms=at_ms))


async def _never_told(self: Issuers, institution: str, request: Any, trace: Any) -> IssuerReverseReply:
    return IssuerReverseReply(response_code=APPROVED)


_advise = Issuers.advise


async def _advised_of_nothing(self: Issuers, advice: Any, trace: Any) -> IssuerReply:
    return await _advise(self, replace(advice, original=""), trace)


async def _never_advised(self: Issuers, advice: Any, trace: Any) -> IssuerReply:
    return IssuerReply(response_code=APPROVED)


def _answered_early(self: ShardOffice, span: Any, what: str, records: Any, *, handed_over: Any = None) -> Any:
    """The outcome is on its way, and that is taken for enough."""
    future = _append(self, span, what, records, handed_over=handed_over)
    if what != "outcome":
        return future
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    early: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
    early.set_result(Appended(0, len(records), 0))
    return early


async def _unproved(self: Term[Any]) -> None:
    """A no is said from memory, whoever is in office by now."""


async def _unflushed(self: Term[Any]) -> None:
    """What memory knows is said, whether it stands in the log or not."""


def _intent_later(self: Term[Any], records: Any, *, handed_over: Any = None) -> Any:
    """An intent alone is not written; it goes with whatever is written next."""
    loop = asyncio.get_running_loop()
    held = self.__dict__.setdefault("_held", [])
    if handed_over is not None:
        for record in records:
            self._machine.apply(self.state, record)
        held += [self._machine.encode(record) for record in records]
        handed_over.set_result(None)
        done: asyncio.Future[Appended] = loop.create_future()
        done.set_result(Appended(0, len(records), 0))
        return done
    encoded = [self._machine.encode(record) for record in records]
    for record in records:
        self._machine.apply(self.state, record)
    encoded, self.__dict__["_held"] = held + encoded, []
    return self.log.append(encoded)


def _closed_at_once(register: Any, shard: Shard, *arguments: Any, **more: Any) -> Any:
    """Nobody waits for what has no outcome yet."""
    decision = _settle(register, shard, *arguments, **more)
    if not isinstance(decision, Wait):
        return decision
    open_ = {id_: shard.transactions[id_] for id_ in decision.ids}
    for transaction in open_.values():
        transaction.state = State.DECLINED
    try:
        return _settle(register, shard, *arguments, **more)
    finally:
        for transaction in open_.values():
            transaction.state = State.INTENT


LEFT_OPEN = (Replaced(reverse, "abandoned", _no_abandoned),)
ANSWERED_ANEW = (Replaced(authorize, "_repeat", _answered_anew),)
SOLD_ANEW = (Replaced(authorize, "decide", _sold_anew),)
AS_BEFORE_CLOSE = (Replaced(reverse, "decide", _as_before_close),)
OF_ANY_TERMINAL = (Replaced(reverse, "decide", _of_any_terminal),)
NO_TOMBSTONE = (Replaced(reverse, "_tombstone", _no_tombstone),)
NEVER_TOLD = (Replaced(Issuers, "reverse", _never_told),)
ADVISED_OF_NOTHING = (Replaced(Issuers, "advise", _advised_of_nothing),)
NEVER_ADVISED = (Replaced(Issuers, "advise", _never_advised),)
ANSWERED_EARLY = (Replaced(ShardOffice, "_append", _answered_early),)
UNPROVED = (Replaced(Term, "prove", _unproved), Replaced(Term, "flushed", _unflushed))
INTENT_LATER = (Replaced(Term, "append", _intent_later),)
CLOSED_AT_ONCE = (Replaced(settle, "decide", _closed_at_once),)
