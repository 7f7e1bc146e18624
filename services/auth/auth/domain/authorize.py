"""A transaction that needs the issuer's word: what to do with the request, and what to make of the word."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from auth.domain import stand_in, velocity
from auth.domain.claims import Claiming, Forgotten, Found, Recollection, claim_refusal, find
from auth.domain.kinds import RULES, Rules
from auth.domain.register import Register
from auth.domain.state import Shard
from auth.domain.transaction import Transaction
from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply, AuthorizeRequest, IssuerReply
from contracts.batch import MOST_WITH, SETTLING
from contracts.identity import format_rrn, identity_of, transaction_id
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
    original: str = ""
    """The id of the transaction that this one is about."""
    target_institution: str = ""
    """Of a transfer: to be asked second."""


class Recall(NamedTuple):
    """One of `ids` may be the original, and none of them is in memory: to be asked of the settlement ledger, and then decided again on the
    state as it is by then. Nothing is journalled."""

    id: str
    ids: tuple[str, ...]
    rrn: str
    authorization_code: str


Decision = Refuse | Repeat | Incomparable | InFlight | Decline | Forward


def decide(
    register: Register,
    shard: Shard,
    shard_number: int,
    request: AuthorizeRequest,
    *,
    at_ms: int,
    trace: str,
    recollection: Recollection | None = None,
    cutting: bool = False,
) -> Decision | Recall:
    """Idempotency comes before the rules: a repetition gets its answer whatever has changed since. `recollection` is the answer to a Recall;
    `cutting` says that a business day is being ended, and nothing new is begun."""
    id_ = transaction_id(request.terminal, request.batch, request.stan)
    known = shard.transactions.get(id_)
    if known is not None:
        return _repeat(known, request, at_ms)
    rules = RULES[request.kind]
    refusal = _unregistered(register, shard, request) or _malformed(rules, request) or (rc.CUT_OVER if cutting else "")
    if refusal:
        return Refuse(AuthorizeReply(response_code=refusal, rrn=NO_RRN, at_ms=at_ms))
    institution, target = register.institution_for(request.card.pan), request.target
    refusal = _refusal(register, shard, rules, request, institution)
    found: Found | None = None
    if rules.claiming is not None and not refusal:
        claimed = _claimed(
            register,
            shard,
            rules.claiming,
            request,
            institution=institution,
            recollection=recollection,
            at_ms=at_ms,
            trace=trace,
        )
        if isinstance(claimed, Forgotten):
            named = request.original
            return Recall(id_, claimed.ids, named.rrn if named else "", named.authorization_code if named else "")
        found, refusal = claimed
    if shard.velocity is not None and not refusal:
        refusal = velocity.refusal(
            shard.velocity,
            request.kind,
            terminal=request.terminal,
            card=request.masked.digest,
            amount_minor=request.amount_minor,
            at_ms=at_ms,
        )
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
        original=found.original.id if found is not None else "",
        original_rrn=found.original.rrn if found is not None else "",
        target=target.masked if target is not None else None,
        target_institution=register.institution_for(target.pan) if target is not None else "",
        instalment=request.instalment,
        stop_list=shard.stops.told,
        chip=request.chip,
        at_ms=at_ms,
        trace=trace,
    )
    if refusal:
        outcome = Outcome(id=id_, state=State.DECLINED, response_code=refusal, at_ms=at_ms, trace=trace)
        return Decline(id_, (intent, outcome))
    records = (intent,) if found is None or found.record is None else (found.record, intent)
    return Forward(id_, intent.rrn, institution, records, intent.original, intent.target_institution)


def _claimed(
    register: Register,
    shard: Shard,
    claiming: Claiming,
    request: AuthorizeRequest,
    *,
    institution: str,
    recollection: Recollection | None,
    at_ms: int,
    trace: str,
) -> tuple[Found | None, str] | Forgotten:
    """The original and no refusal, or a refusal and no original: what is declined has claimed nothing.

    Where the ledger has said nothing the answer is 96, which says that the same may succeed later. It is journalled as every decline is: the
    terminal has seen a no, and a straggling copy of its request must find that no and not an original that can be looked up by then.
    """
    found = find(register, shard, claiming, request, recollection, at_ms=at_ms, trace=trace)
    if isinstance(found, Forgotten):
        if recollection is None or not recollection.silent:
            return found
        return None, rc.SYSTEM_MALFUNCTION
    refusal = claim_refusal(
        shard,
        claiming,
        register.merchants[request.merchant],
        found.original if found is not None else None,
        amount_minor=request.amount_minor,
        institution=institution,
    )
    return (None, refusal) if refusal else (found, "")


def _repeat(known: Transaction, request: AuthorizeRequest, at_ms: int) -> Decision:
    if not known.fingerprint:
        return _of_no_request(known, at_ms)
    asked = (request.fingerprint, *request.other_fingerprints)
    # A fingerprint says nothing of these two.
    other = known.kind is not request.kind or not _about_the_same(known, request)
    if other or known.fingerprint not in asked:
        version = _key_version(known.fingerprint)
        if not other and version not in map(_key_version, asked):
            return Incomparable(known.id, version)
        return Refuse(AuthorizeReply(response_code=rc.DUPLICATE, rrn=NO_RRN, at_ms=at_ms))
    if known.state is State.INTENT:
        return InFlight(known.id)
    return Repeat(reply_of(known))


def _of_no_request(known: Transaction, at_ms: int) -> Decision:
    """Of a transaction whose request is not known: one that was recalled is of a batch long closed; of a tombstone the reversal was here first."""
    if known.more.recalled:
        return Refuse(AuthorizeReply(response_code=rc.BATCH_DIFFERS, rrn=NO_RRN, at_ms=at_ms))
    return Repeat(AuthorizeReply(response_code=rc.INVALID_RELATED_TRANSACTION, rrn=known.rrn, at_ms=known.at_ms))


def _about_the_same(known: Transaction, request: AuthorizeRequest) -> bool:
    original, named = known.more.original, request.original
    return not original or named is None or identity_of(original)[1:] == (named.batch, named.stan)


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


def _malformed(rules: Rules, request: AuthorizeRequest) -> str:
    """30 where a part is missing that the kind needs, or there is one that it does not know."""
    whole = (
        (request.original is not None) == (rules.claiming is not None)
        and (request.target is not None) == (rules.target is not None)
        and (request.instalment is not None) == rules.plan
    )
    return "" if whole else rc.FORMAT_ERROR


def _refusal(register: Register, shard: Shard, rules: Rules, request: AuthorizeRequest, institution: str) -> str:
    """The switch's own rules, in the order in which their codes win."""
    merchant, terminal, pan = (
        register.merchants[request.merchant],
        register.terminals[request.terminal],
        request.card.pan,
    )
    amount_fits = request.amount_minor > 0 if rules.amount else request.amount_minor == 0
    checks = (
        (not merchant.open, rc.INVALID_MERCHANT),
        (not terminal.open or request.kind not in terminal.kinds, rc.NOT_PERMITTED_TO_TERMINAL),
        (not amount_fits or request.currency != register.currency, rc.INVALID_AMOUNT),
        (not luhn_valid(pan.clear()), rc.INVALID_CARD_NUMBER),
        (not institution, rc.NO_SUCH_ISSUER),
        (merchant.refused and (institution, request.kind) in merchant.refused, rc.NOT_PERMITTED_TO_CARDHOLDER),
    )
    for fails, code in checks:
        if fails:
            return code
    if rules.stoppable:
        stopped = register.stop_reason(pan)
        if not stopped and shard.stops.told:
            stopped = shard.stops.reason(request.masked.digest, request.other_digests, pan.clear())
        if stopped:
            return stopped
    if rules.target is not None and request.target is not None:
        target = request.target
        refusal = rules.target(register, pan, target)
        if refusal:
            return refusal
        # Never the list's own code: that would have the terminal keep the payer's card.
        if shard.stops.reason(target.masked.digest, request.target_digests, target.pan.clear()):
            return rc.RESTRICTED_CARD
    above_floor = rules.floor and merchant.floor_minor is not None and request.amount_minor > merchant.floor_minor
    if above_floor or (rules.limited and request.amount_minor > merchant.limit_minor):
        return rc.OVER_AMOUNT_LIMIT
    return rc.OVER_COUNT_LIMIT if _batch_full(shard, request) else ""


def _batch_full(shard: Shard, request: AuthorizeRequest) -> bool:
    """Whether the open batch has no place for one more of this kind."""
    return request.kind in SETTLING and shard.terminal(request.terminal).settling >= MOST_WITH[request.kind]


def conclude(
    transaction: Transaction, answer: IssuerReply, *, takes_part: bool = False, at_ms: int, trace: str
) -> Record:
    """The issuer's word as a record. A word that comes after a reversal is kept and changes nothing; a partial approval that nobody asked for,
    or of no part, may stand for anything in its ledger and is reversed. A notice of which it says neither yes nor no stands, and is told again."""
    if transaction.state is not State.INTENT:
        return LateAnswer(id=transaction.id, response_code=answer.response_code, at_ms=at_ms, trace=trace)
    if answer.response_code != rc.APPROVED and not _ends_a_notice(answer.response_code):
        noticed = stand_in.of_notice(transaction, at_ms=at_ms, trace=trace)
        if noticed is not None:
            return noticed
    part_minor = 0
    if answer.response_code == rc.PARTIAL_APPROVAL:
        part_minor = answer.part_minor
        if not (takes_part and 0 < part_minor < transaction.amount_minor):
            return _reversing(transaction, rc.ISSUER_TIMEOUT, at_ms=at_ms, trace=trace)
    approved = answer.response_code == rc.APPROVED or part_minor > 0
    return Outcome(
        id=transaction.id,
        state=State.APPROVED if approved else State.DECLINED,
        response_code=answer.response_code,
        authorization_code=answer.authorization_code if approved else "",
        part_minor=part_minor,
        balance=answer.balance if approved else None,
        instalment=answer.instalment if approved else None,
        chip=answer.chip,
        at_ms=at_ms,
        trace=trace,
    )


def _ends_a_notice(code: str) -> bool:
    """Whether it is a yes to all of it, or a no for good."""
    return not rc.may_pass(code) and code != rc.PARTIAL_APPROVAL


def not_reached(transaction: Transaction, *, at_ms: int, trace: str) -> Record | None:
    """The issuer never got the request: a definite no, but for a notice, which it is told later. None when a reversal has come in between."""
    if transaction.state is not State.INTENT:
        return None
    return stand_in.of_notice(transaction, at_ms=at_ms, trace=trace) or Outcome(
        id=transaction.id, state=State.DECLINED, response_code=rc.ISSUER_UNAVAILABLE, at_ms=at_ms, trace=trace
    )


def no_word(transaction: Transaction, *, at_ms: int, trace: str) -> Record | None:
    """The issuer may have approved and nobody will know: reversed, never sold again; a notice stands, and is told until the issuer has it. None when
    a reversal has come in between."""
    return stand_in.of_notice(transaction, at_ms=at_ms, trace=trace) or half_done(
        transaction, rc.ISSUER_TIMEOUT, at_ms=at_ms, trace=trace
    )


def half_done(transaction: Transaction, code: str, *, at_ms: int, trace: str) -> Record | None:
    """The first bank of a transfer has booked its half and the second one has not, as far as is known: reversed at both, and declined with
    `code`, which is the second one's if it is a refusal. None when a reversal has come in between."""
    if transaction.state is not State.INTENT:
        return None
    refused = code in rc.RESPONSE_CODES and code not in rc.APPROVALS
    return _reversing(transaction, code if refused else rc.ISSUER_TIMEOUT, at_ms=at_ms, trace=trace)


def _reversing(transaction: Transaction, code: str, *, at_ms: int, trace: str) -> Reversing:
    return Reversing(id=transaction.id, reason=code, origin="host", response_code=code, at_ms=at_ms, trace=trace)


def reply_of(transaction: Transaction, *, issuer_ms: int = 0) -> AuthorizeReply:
    """The answer to a decided transaction: the same for every repetition, but for how long its bank was waited for now."""
    more = transaction.more
    return AuthorizeReply(
        response_code=transaction.response_code,
        rrn=transaction.rrn,
        at_ms=transaction.at_ms,
        authorization_code=transaction.authorization_code,
        institution=transaction.institution,
        issuer_ms=issuer_ms,
        part_minor=transaction.amount_minor if more.asked_minor else 0,
        balance=more.balance,
        instalment=more.instalment,
        chip=more.chip,
    )


def said_now(reply: AuthorizeReply, shard: Shard) -> AuthorizeReply:
    """The answer with what is said beside it: the version of the stop list, once there is another than the world begins with."""
    told = shard.stops.told
    return msgspec.structs.replace(reply, stop_list=told) if told else reply
