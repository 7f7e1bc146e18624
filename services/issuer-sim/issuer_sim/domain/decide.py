"""What the bank answers, and what it writes down. Nothing here changes the state: the records do, through `accounts.apply`.

Idempotency comes before the rules: a transaction id that is known gets what it got before, and no record. The checks of the kind come
next (`rules`), in the order in which they win, then what is scripted, then what the kind books (`kinds`).
"""

from __future__ import annotations

from typing import NamedTuple

from contracts import response_codes as rc
from contracts.authorization import IssuerReply
from contracts.identity import identity_of
from contracts.kinds import ADVICES
from contracts.ledger import Archived, HoldExpired, LedgerRecord, Posting, Refusal
from issuer_sim.domain import expiry
from issuer_sim.domain.accounts import Account, State, Transaction, key_of
from issuer_sim.domain.facts import NO_EVIDENCE, Asked, Evidence, Pin
from issuer_sim.domain.kinds import STOOD_IN, rule_of, sale
from issuer_sim.domain.kinds.rule import Case, Rule
from issuer_sim.domain.scripted import PLAIN, Script

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


class Decision(NamedTuple):
    """`records` are to be appended before `reply` leaves; none when memory already holds the answer."""

    records: tuple[LedgerRecord, ...]
    reply: IssuerReply | None
    """None: the script says that no answer is ever given."""
    answer_after_s: float = 0.0


def decide(state: State, asked: Asked, evidence: Evidence, script: Script = PLAIN) -> Decision:
    """The answer to one authorization."""
    known = state.known(asked.transaction, incoming=asked.incoming)
    if known is not None:
        return Decision((), _answer_again(state, known, asked))
    if state.is_archived(key_of(asked.transaction, incoming=asked.incoming)):
        # The acquirer has promised that this never comes. It is neither taken again nor denied: unanswered, it is reversed.
        return Decision((), None)
    decision = _decide_new(state, asked, evidence, script)
    archived = _archived(state, asked)
    return decision._replace(records=(*archived, *decision.records)) if archived else decision


def _archived(state: State, asked: Asked) -> tuple[LedgerRecord, ...]:
    """The acquirer's promise as a record, when there is something for which it holds."""
    terminal, _, _ = identity_of(asked.transaction)
    if asked.kept_from <= state.archived.get(terminal, ""):
        return ()
    if not any(batch < asked.kept_from for batch in state.batches.get(terminal, ())):
        return ()
    return (Archived(at_ms=asked.at_ms, trace=asked.trace, terminal=terminal, kept_from=asked.kept_from),)


def _decide_new(state: State, asked: Asked, evidence: Evidence, script: Script) -> Decision:
    account = state.accounts.get(asked.account)
    if account is None:
        return _refuse(asked, rc.INVALID_CARD_NUMBER, account="")
    rule = STOOD_IN.get(asked.kind) if asked.stood_in else rule_of(asked.kind, incoming=asked.incoming)
    if rule is None:
        return _refuse(asked, rc.FUNCTION_NOT_SUPPORTED)
    if asked.stood_in and not account.may_have_counted(evidence.counter):
        evidence = NO_EVIDENCE
    if not account.held_minor:
        return _decide_case(Case(state, account, asked, account.available_minor), rule, evidence, script)
    over = expiry.of_account(state, account, asked.at_ms, asked.trace)
    case = Case(state, account, asked, _available(account, over))
    decision = _decide_case(case, rule, evidence, script)
    return decision._replace(records=(*over, *decision.records))


def _available(account: Account, over: tuple[HoldExpired, ...]) -> int:
    """What may be spent once the holds that are due have ended."""
    return account.available_minor + sum(hold.held_minor for hold in over)


def _decide_case(case: Case, rule: Rule, evidence: Evidence, script: Script) -> Decision:
    account, asked = case.account, case.asked
    for check in rule.checks:
        if code := check(account, asked, evidence):
            wrong_pin = code == rc.WRONG_PIN and evidence.pin is Pin.WRONG
            return _refuse(asked, code, wrong_pin=wrong_pin, counter=evidence.counter)
    if not asked.stood_in and (code := script.response_code or asked.card.response_code):
        return _refuse(asked, code, counter=evidence.counter)
    if not script.posts:
        return Decision((), None)
    booking = rule.book(case)
    if isinstance(booking, str):
        return _refuse(asked, booking, counter=evidence.counter)
    posting = Posting(
        at_ms=asked.at_ms,
        trace=asked.trace,
        id=asked.transaction,
        account=asked.account,
        amount_minor=booking.amount_minor,
        currency=asked.currency,
        authorization_code=_code_of(case) if rule.numbered else "",
        right_pin=evidence.pin is Pin.RIGHT,
        incoming=asked.incoming,
        held_minor=booking.held_minor,
        expires_ms=booking.expires_ms,
        releases=booking.releases,
        released_minor=booking.released_minor,
        forced=rule.forced,
        part_of_minor=booking.part_of_minor,
        counter=evidence.counter,
        kind=asked.kind,
        original=asked.original,
        asked_minor=booking.asked_minor,
        instalment=booking.instalment,
    )
    part_minor = booking.amount_minor if booking.part_of_minor else 0
    reply = _approval(posting.authorization_code, case, rule, part_minor)
    return Decision((posting,), reply if script.answers else None, script.answer_after_s)


def _code_of(case: Case) -> str:
    return case.asked.authorization_code or authorization_code(case.state.approvals + 1)


def _approval(code: str, case: Case, rule: Rule, part_minor: int) -> IssuerReply:
    reply = IssuerReply(response_code=rc.APPROVED, authorization_code=code)
    if part_minor:
        reply = sale.in_part(reply, part_minor)
    return rule.tell(reply, case) if rule.tell is not None else reply


def authorization_code(number: int) -> str:
    """Field 38 (an6) from a counter: base 36, so that two thousand million approvals pass before one comes back.

    >>> authorization_code(1), authorization_code(36 ** 6 + 35)
    ('000001', '00000Z')
    """
    upper, low = divmod(number, len(_PAIRS))
    high, middle = divmod(upper, len(_PAIRS))
    return _PAIRS[high % len(_PAIRS)] + _PAIRS[middle] + _PAIRS[low]


def _answer_again(state: State, known: Transaction, asked: Asked) -> IssuerReply:
    if known.reversed:  # a late original behind its reversal, or a repetition of what no longer stands
        return IssuerReply(response_code=rc.INVALID_RELATED_TRANSACTION)
    rule, account = rule_of(asked.kind, incoming=asked.incoming), state.accounts.get(known.account)
    if known.response_code not in rc.APPROVALS or rule is None or account is None:
        return IssuerReply(response_code=known.response_code)
    part_minor = known.amount_minor if known.response_code == rc.PARTIAL_APPROVAL else 0
    if known.account != asked.account:  # nothing of one card's account is said to another
        rule = rule._replace(tell=None)
    case = Case(state, account, asked, _available(account, expiry.of_account(state, account, asked.at_ms)))
    return _approval(known.authorization_code, case, rule, part_minor)


def _refuse(
    asked: Asked, code: str, *, account: str | None = None, wrong_pin: bool = False, counter: int = 0
) -> Decision:
    reply = IssuerReply(response_code=code)
    if asked.kind in ADVICES and rc.may_pass(code):
        return Decision((), reply)  # no word that it could keep to: it is told of this again, and decides then
    refusal = Refusal(
        at_ms=asked.at_ms,
        trace=asked.trace,
        id=asked.transaction,
        response_code=code,
        account=asked.account if account is None else account,
        wrong_pin=wrong_pin,
        incoming=asked.incoming,
        counter=0 if asked.stood_in else counter,  # that one, nobody has proved
    )
    return Decision((refusal,), reply)
