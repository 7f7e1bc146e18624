"""A transaction that needs the issuer's word: what to do with the request, and what to make of the word."""

from __future__ import annotations

from typing import NamedTuple

from auth.domain.register import Register
from auth.domain.state import Shard, Transaction
from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply, AuthorizeRequest, IssuerReply
from contracts.identity import format_rrn, transaction_id
from contracts.journal import Intent, LateAnswer, Outcome, Record, Reversing
from contracts.pan import luhn_valid
from contracts.states import State

NO_RRN = "000000000000"
"""Field 37 of an answer about which nothing is journalled."""


class Refuse(NamedTuple):
    """Not of this register or not of this batch: answered, and nothing is journalled."""

    reply: AuthorizeReply


class Repeat(NamedTuple):
    """Known: the stored answer, once it is durable."""

    reply: AuthorizeReply


class Incomparable(NamedTuple):
    """Known, and nobody can say whether this is a repetition: its fingerprint is under a data key that the gateway did not use.

    A 94 could deny an approval, and the stored answer could be another card's: nothing is said, and the terminal reverses (ADR 0009).
    """

    id: str
    version: str
    """Of the data key; empty for a record that is older than versions."""


class InFlight(NamedTuple):
    """The same request is being worked on: its answer will be this one's."""

    id: str


class Decline(NamedTuple):
    """The switch says no by itself."""

    id: str
    records: tuple[Record, ...]


class Forward(NamedTuple):
    """To be asked of `institution` once `records` are on their way to the journal."""

    id: str
    rrn: str
    institution: str
    records: tuple[Record, ...]


Decision = Refuse | Repeat | Incomparable | InFlight | Decline | Forward


def decide(
    register: Register, shard: Shard, shard_number: int, request: AuthorizeRequest, *, at_ms: int, trace: str
) -> Decision:
    """Idempotency comes before the rules: a repetition gets its answer whatever has changed since."""
    id_ = transaction_id(request.terminal, request.batch, request.stan)
    known = shard.transactions.get(id_)
    if known is not None:
        return _repeat(known, request, at_ms)
    refusal = _unregistered(register, shard, request)
    if refusal:
        return Refuse(AuthorizeReply(response_code=refusal, rrn=NO_RRN, at_ms=at_ms))
    institution = register.institution_for(request.card.pan)
    intent = Intent(
        id=id_,
        rrn=format_rrn(shard_number, shard.number + 1),
        kind=request.kind,
        terminal=request.terminal,
        merchant=request.merchant,
        batch=request.batch,
        stan=request.stan,
        operator=shard.terminal(request.terminal).operator,
        amount_minor=request.amount_minor,
        currency=request.currency,
        institution=institution,
        entry_mode=request.entry_mode,
        card=request.masked,
        fingerprint=request.fingerprint,
        at_ms=at_ms,
        trace=trace,
    )
    refusal = _refusal(register, request, institution)
    if refusal:
        outcome = Outcome(id=id_, state=State.DECLINED, response_code=refusal, at_ms=at_ms, trace=trace)
        return Decline(id_, (intent, outcome))
    return Forward(id_, intent.rrn, institution, (intent,))


def _repeat(known: Transaction, request: AuthorizeRequest, at_ms: int) -> Decision:
    if not known.fingerprint:  # a tombstone: the reversal was here first
        return Repeat(AuthorizeReply(response_code=rc.INVALID_RELATED_TRANSACTION, rrn=known.rrn, at_ms=known.at_ms))
    asked = (request.fingerprint, *request.other_fingerprints)
    if known.fingerprint not in asked:
        version = _key_version(known.fingerprint)
        if version not in map(_key_version, asked):
            return Incomparable(known.id, version)
        return Refuse(AuthorizeReply(response_code=rc.DUPLICATE, rrn=NO_RRN, at_ms=at_ms))
    if known.state is State.INTENT:
        return InFlight(known.id)
    return Repeat(reply_of(known))


def _key_version(fingerprint: str) -> str:
    """The data key's version that made it."""
    return fingerprint.rpartition(":")[0]


def _unregistered(register: Register, shard: Shard, request: AuthorizeRequest) -> str:
    terminal = register.terminals.get(request.terminal)
    if terminal is None:
        return rc.UNKNOWN_TERMINAL
    if terminal.merchant != request.merchant or request.merchant not in register.merchants:
        return rc.INVALID_MERCHANT
    if request.batch != shard.terminal(request.terminal).batch:
        return rc.BATCH_DIFFERS
    return ""


def _refusal(register: Register, request: AuthorizeRequest, institution: str) -> str:
    """The switch's own rules, in the order in which their codes win."""
    merchant, pan = register.merchants[request.merchant], request.card.pan
    checks = (
        (not merchant.open, rc.INVALID_MERCHANT),
        (not register.terminals[request.terminal].open, rc.NOT_PERMITTED_TO_TERMINAL),
        (request.amount_minor <= 0 or request.currency != register.currency, rc.INVALID_AMOUNT),
        (not luhn_valid(pan.clear()), rc.INVALID_CARD_NUMBER),
        (not institution, rc.NO_SUCH_ISSUER),
    )
    for fails, code in checks:
        if fails:
            return code
    stopped = register.stop_reason(pan)
    if stopped:
        return stopped
    return rc.OVER_AMOUNT_LIMIT if request.amount_minor > merchant.limit_minor else ""


def conclude(transaction: Transaction, answer: IssuerReply, *, at_ms: int, trace: str) -> Record:
    """The issuer's word as a record. A word that comes after a reversal is kept and changes nothing."""
    if transaction.state is not State.INTENT:
        return LateAnswer(id=transaction.id, response_code=answer.response_code, at_ms=at_ms, trace=trace)
    approved = answer.response_code == rc.APPROVED
    return Outcome(
        id=transaction.id,
        state=State.APPROVED if approved else State.DECLINED,
        response_code=answer.response_code,
        authorization_code=answer.authorization_code if approved else "",
        at_ms=at_ms,
        trace=trace,
    )


def not_reached(transaction: Transaction, *, at_ms: int, trace: str) -> Record | None:
    """The issuer never got the request: a definite no. None when a reversal has come in between."""
    if transaction.state is not State.INTENT:
        return None
    return Outcome(
        id=transaction.id, state=State.DECLINED, response_code=rc.ISSUER_UNAVAILABLE, at_ms=at_ms, trace=trace
    )


def no_word(transaction: Transaction, *, at_ms: int, trace: str) -> Record | None:
    """The issuer may have approved and nobody will know: reversed, never sold again. None when a reversal has come in between."""
    if transaction.state is not State.INTENT:
        return None
    return Reversing(
        id=transaction.id,
        reason=rc.ISSUER_TIMEOUT,
        origin="host",
        response_code=rc.ISSUER_TIMEOUT,
        at_ms=at_ms,
        trace=trace,
    )


def reply_of(transaction: Transaction, *, issuer_ms: int = 0) -> AuthorizeReply:
    """The answer to a decided transaction: the same for every repetition, but for how long its bank was waited for now."""
    return AuthorizeReply(
        response_code=transaction.response_code,
        rrn=transaction.rrn,
        at_ms=transaction.at_ms,
        authorization_code=transaction.authorization_code,
        institution=transaction.institution,
        issuer_ms=issuer_ms,
    )
