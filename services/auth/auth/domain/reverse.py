"""Reversals: of what is known, of what is not, and of what nobody answered."""

from __future__ import annotations

from typing import NamedTuple

from auth.domain import authorize
from auth.domain.authorize import NO_RRN, Recall
from auth.domain.claims import Recollection
from auth.domain.kinds import RULES
from auth.domain.register import Register
from auth.domain.state import Shard
from auth.domain.transaction import Transaction
from contracts import response_codes as rc
from contracts.authorization import ReverseReply, ReverseRequest
from contracts.identity import format_rrn, transaction_id
from contracts.journal import Record, Reversing, Tombstone
from contracts.kinds import KINDS, Kind
from contracts.states import State


class Reversal(NamedTuple):
    """Answered once `records` (none for a repetition) and all before them are durable."""

    reply: ReverseReply
    records: tuple[Record, ...] = ()


def decide(
    register: Register,
    shard: Shard,
    shard_number: int,
    request: ReverseRequest,
    *,
    at_ms: int,
    trace: str,
    recollection: Recollection | None = None,
) -> Reversal | Recall:
    """A reversal is never refused for what it names being unknown: it is remembered instead (tombstone).

    What a claim stands on cannot be reversed any more (ADR 0027), nor a kind that is none to be reversed, nor what is of another kind or amount
    than the request says. Of what may have been forgotten the settlement ledger knows all that; `recollection` is its answer to a Recall. While
    it says nothing neither is done (96), and the terminal comes again.
    """
    if refusal := _unserved(register, request):
        return Reversal(ReverseReply(response_code=refusal, rrn=NO_RRN, at_ms=at_ms))
    id_ = transaction_id(request.terminal, request.batch, request.stan)
    known = shard.transactions.get(id_)
    if known is None:
        forgotten = shard.may_have_forgotten(request.terminal, request.batch)
        if forgotten and recollection is None:
            return Recall(id_, (id_,), "", "")
        if recollection is not None and (refusal := _refusal_of_forgotten(recollection, request)):
            return Reversal(ReverseReply(response_code=refusal, rrn=NO_RRN, at_ms=at_ms))
        rrn, original = format_rrn(shard_number, shard.number + 1), _original(recollection)
        return _tombstone(register, id_, rrn, request, original=original, at_ms=at_ms, trace=trace)
    return _of_known(known, request, at_ms=at_ms, trace=trace)


def _of_known(known: Transaction, request: ReverseRequest, *, at_ms: int, trace: str) -> Reversal:
    refusal = _refusal(known, request)
    if refusal:
        return Reversal(ReverseReply(response_code=refusal, rrn=known.rrn, at_ms=known.at_ms))
    if known.state in (State.REVERSING, State.REVERSED):
        return Reversal(ReverseReply(response_code=rc.APPROVED, rrn=known.rrn, at_ms=known.reversed_at_ms))
    record = Reversing(
        id=known.id,
        reason=request.reason,
        origin="terminal",
        # Nobody had been answered yet: what the original's repetitions get from now on.
        response_code=rc.ISSUER_TIMEOUT if known.state is State.INTENT else "",
        after_close=known.state is State.SETTLED,
        at_ms=at_ms,
        trace=trace,
    )
    return Reversal(ReverseReply(response_code=rc.APPROVED, rrn=known.rrn, at_ms=at_ms), (record,))


def _unserved(register: Register, request: ReverseRequest) -> str:
    terminal = register.terminals.get(request.terminal)
    if terminal is None:
        return rc.UNKNOWN_TERMINAL
    if terminal.merchant != request.merchant:
        return rc.INVALID_MERCHANT
    return "" if KINDS[request.kind].reversible else rc.FUNCTION_NOT_SUPPORTED


def _refusal_of_forgotten(recollection: Recollection, request: ReverseRequest) -> str:
    """Why what the switch has forgotten may not be reversed, as if it were known: the banks undo by the id, whatever the request says it was.
    Empty where it may."""
    if recollection.silent:
        return rc.SYSTEM_MALFUNCTION
    found = recollection.found
    if found is None:
        return ""
    if not _is_of(request.amount_minor, found.kind, found.amount_minor, found.asked_minor):
        return rc.ORIGINAL_AMOUNT_MISMATCH
    undoable = found.kind is request.kind and not found.spent and not found.taken_minor
    return "" if undoable else rc.INVALID_RELATED_TRANSACTION


def _refusal(known: Transaction, request: ReverseRequest) -> str:
    more, amount_minor = known.more, known.amount_minor
    asked_minor = more.asked_minor if more.recalled else more.asked_minor or amount_minor
    if not _is_of(request.amount_minor, known.kind, amount_minor, asked_minor):
        return rc.ORIGINAL_AMOUNT_MISMATCH
    undoable = known.kind is request.kind and known.state is not State.DECLINED and known.standing is None
    return "" if undoable else rc.INVALID_RELATED_TRANSACTION


def _is_of(said_minor: int, kind: Kind, amount_minor: int, asked_minor: int) -> bool:
    """Whether a reversal that says `said_minor` repeats what was asked for. A ledger, or a record, of before it was kept does not say that (0):
    then it may be anything of which `amount_minor` could be a part."""
    if asked_minor:
        return said_minor == asked_minor
    return said_minor == amount_minor or (RULES[kind].part and said_minor > amount_minor)


def _original(recollection: Recollection | None) -> str:
    """What the forgotten transaction stands on, which the reversal makes good again; empty where it stands on nothing."""
    found = recollection.found if recollection is not None else None
    return found.original if found is not None else ""


def _tombstone(
    register: Register, id_: str, rrn: str, request: ReverseRequest, *, original: str, at_ms: int, trace: str
) -> Reversal:
    """Which bank the original would have gone to is not known either (a reversal carries no card): all are told."""
    record = Tombstone(
        id=id_,
        rrn=rrn,
        kind=request.kind,
        terminal=request.terminal,
        merchant=request.merchant,
        batch=request.batch,
        stan=request.stan,
        amount_minor=request.amount_minor,
        currency=request.currency,
        reason=request.reason,
        institutions=register.institutions,
        original=original,
        at_ms=at_ms,
        trace=trace,
    )
    return Reversal(ReverseReply(response_code=rc.APPROVED, rrn=rrn, at_ms=at_ms), (record,))


def abandoned(shard: Shard, *, at_ms: int) -> list[Record]:
    """For a new owner: what the former one asked an issuer and never heard, or never wrote down, ends as if the issuer were silent."""
    left = (shard.transactions[id_] for id_ in shard.intents)
    return [record for one in left if (record := authorize.no_word(one, at_ms=at_ms, trace=one.trace)) is not None]
