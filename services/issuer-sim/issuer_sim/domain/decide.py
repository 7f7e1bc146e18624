"""What the bank answers, and what it writes down. Nothing here changes the state: the records do, through `accounts.apply`.

Idempotency comes before the rules: a transaction id that is known gets what it got before, and no record. The rules stand in
`_CHECKS` in the order in which they win.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts import response_codes as rc
from contracts.authorization import IssuerReply, IssuerReverseReply
from contracts.identity import identity_of
from contracts.ledger import Archived, LedgerRecord, Posting, Refusal, ReversalPosting
from contracts.money import CNY, MAX_AMOUNT_MINOR
from issuer_sim.domain.accounts import ACTIVE, Account, State, Transaction
from issuer_sim.domain.facts import Asked, Evidence, Pin
from issuer_sim.domain.scripted import PLAIN, Script

MAX_WRONG_PINS = 3
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_STATUS_CODES = {"lost": rc.LOST_CARD, "stolen": rc.STOLEN_CARD}


class Decision(NamedTuple):
    """`records` are to be appended before `reply` leaves; none when memory already holds the answer."""

    records: tuple[LedgerRecord, ...]
    reply: IssuerReply | None
    """None: the script says that no answer is ever given."""
    answer_after_s: float = 0.0


class ReverseDecision(NamedTuple):
    records: tuple[LedgerRecord, ...]
    reply: IssuerReverseReply


def decide(state: State, asked: Asked, evidence: Evidence, script: Script = PLAIN) -> Decision:
    """The answer to one authorization."""
    known = state.transactions.get(asked.transaction)
    if known is not None:
        return Decision((), _answer_again(known))
    if state.is_archived(asked.transaction):
        # The acquirer has promised that this never comes. It is neither taken again nor denied: unanswered, it is reversed.
        return Decision((), None)
    decision = _decide_new(state, asked, evidence, script)
    return decision._replace(records=(*_archived(state, asked), *decision.records))


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
    if code := _refusal_code(account, asked, evidence, script):
        return _refuse(asked, code, wrong_pin=code == rc.WRONG_PIN and evidence.pin is Pin.WRONG)
    if not script.posts:
        return Decision((), None)
    posting = Posting(
        at_ms=asked.at_ms,
        trace=asked.trace,
        id=asked.transaction,
        account=asked.account,
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        authorization_code=authorization_code(state.approvals + 1),
        right_pin=evidence.pin is Pin.RIGHT,
    )
    reply = IssuerReply(response_code=rc.APPROVED, authorization_code=posting.authorization_code)
    return Decision((posting,), reply if script.answers else None, script.answer_after_s)


def decide_reverse(state: State, transaction: str, *, reason: str, at_ms: int, trace: str = "") -> ReverseDecision:
    """Give back what `transaction` took, once; leave a tombstone when it is unknown. Always answered 00."""
    reply = IssuerReverseReply(response_code=rc.APPROVED)
    known = state.find(transaction)
    if known is not None and known.reversed:
        return ReverseDecision((), reply)
    account = state.accounts.get(known.account) if known else None
    reversal = ReversalPosting(
        at_ms=at_ms,
        trace=trace,
        id=transaction,
        account=known.account if known else "",
        amount_minor=known.amount_minor if known else 0,
        currency=account.currency if account else CNY,
        reason=reason,
    )
    return ReverseDecision((reversal,), reply)


def authorization_code(number: int) -> str:
    """Field 38 (an6) from a counter: base 36, so that two thousand million approvals pass before one comes back.

    >>> authorization_code(1), authorization_code(36 ** 6 + 35)
    ('000001', '00000Z')
    """
    upper, low = divmod(number, len(_PAIRS))
    high, middle = divmod(upper, len(_PAIRS))
    return _PAIRS[high % len(_PAIRS)] + _PAIRS[middle] + _PAIRS[low]


def _answer_again(known: Transaction) -> IssuerReply:
    if known.reversed:  # a late original behind its reversal, or a repetition of what no longer stands
        return IssuerReply(response_code=rc.INVALID_RELATED_TRANSACTION)
    return IssuerReply(response_code=known.response_code, authorization_code=known.authorization_code)


def _refuse(asked: Asked, code: str, *, account: str | None = None, wrong_pin: bool = False) -> Decision:
    refusal = Refusal(
        at_ms=asked.at_ms,
        trace=asked.trace,
        id=asked.transaction,
        response_code=code,
        account=asked.account if account is None else account,
        wrong_pin=wrong_pin,
    )
    return Decision((refusal,), IssuerReply(response_code=code))


Check = Callable[[Account, Asked, Evidence], str]
"""A rule: the response code that refuses, or empty."""


def _status(account: Account, asked: Asked, evidence: Evidence) -> str:
    if account.status == ACTIVE:
        return ""
    return _STATUS_CODES.get(account.status, rc.RESTRICTED_CARD)  # a status that is not known restricts


def _expiry(account: Account, asked: Asked, evidence: Evidence) -> str:
    return rc.EXPIRED_CARD if evidence.expired else ""


def _card_check(account: Account, asked: Asked, evidence: Evidence) -> str:
    return "" if evidence.card_ok else rc.CARD_CHECK_FAILED


def _pin_tries(account: Account, asked: Asked, evidence: Evidence) -> str:
    # Even for the right PIN, or none: otherwise the block could be felt for, one guess at a time.
    return rc.PIN_TRIES_EXCEEDED if account.wrong_pins >= MAX_WRONG_PINS else ""


def _pin(account: Account, asked: Asked, evidence: Evidence) -> str:
    match evidence.pin:
        case Pin.UNREADABLE:
            return rc.PIN_FORMAT_ERROR
        case Pin.WRONG:
            return rc.WRONG_PIN
        case Pin.ABSENT if asked.pin_required:
            return rc.WRONG_PIN  # not counted: nobody guessed
        case _:
            return ""


def _amount(account: Account, asked: Asked, evidence: Evidence) -> str:
    fits = 0 < asked.amount_minor <= MAX_AMOUNT_MINOR and asked.currency == account.currency
    return "" if fits else rc.INVALID_AMOUNT


_CHECKS: tuple[Check, ...] = (_status, _expiry, _card_check, _pin_tries, _pin, _amount)


def _refusal_code(account: Account, asked: Asked, evidence: Evidence, script: Script) -> str:
    """The code of the first rule that refuses, else what the script refuses with, else 51 or empty."""
    for check in _CHECKS:
        if code := check(account, asked, evidence):
            return code
    if script.response_code:
        return script.response_code
    return rc.INSUFFICIENT_FUNDS if script.posts and asked.amount_minor > account.available_minor else ""
