"""Stand-in processing (代授权): the switch approves a small sale in the stead of a bank that it cannot reach, and tells the bank afterwards.

Only of what the bank has surely not got: it was not asked, or nobody was there. What it may have seen is reversed as ever, for its own word might
have been a no. Nobody has looked at the PIN, the card's CVV or its account: that is the acquirer's risk, and the limits are its size.

Of a notice (contracts.kinds, `advice`) it is the other way round: what it tells of has happened, and neither its terminal nor anybody else can take
it back. So whatever keeps its bank from answering, it stands approved, and the bank is told until it acknowledges, under the same id: what it has
booked already it does not book again.
"""

from __future__ import annotations

from auth.domain.advices import exposed
from auth.domain.register import StandInTerms
from auth.domain.state import Shard
from auth.domain.transaction import Transaction
from contracts import response_codes as rc
from contracts.authorization import AuthorizeRequest
from contracts.identity import stand_in_code
from contracts.journal import Advised, Outcome, StoodIn
from contracts.kinds import Kind
from contracts.states import State

MANUAL_ENTRY = "01"
"""Field 22, first two digits: whoever keys a number need not have the card."""


def word(
    terms: StandInTerms,
    shard: Shard,
    transaction: Transaction,
    request: AuthorizeRequest,
    *,
    at_ms: int,
    today: str,
    trace: str,
) -> Outcome | None:
    """The switch's own approval; None where it does not stand in, or a reversal has come in between. `today`: YYMM, for the card's expiry."""
    count, minor = exposed(shard.advices, {request.masked.digest, *request.other_digests})
    may = (
        transaction.state is State.INTENT
        and request.kind is Kind.SALE
        and not request.entry_mode.startswith(MANUAL_ENTRY)
        and request.card.expiry >= today
        and request.amount_minor <= terms.floor_minor
        and count < terms.card_most
        and minor + request.amount_minor <= terms.card_minor
    )
    if not may:
        return None
    told = StoodIn(card=request.masked, entry_mode=request.entry_mode)
    return _approval(transaction, told, at_ms=at_ms, trace=trace)


def of_notice(transaction: Transaction, *, at_ms: int, trace: str) -> Outcome | None:
    """The switch's own word on a notice whose bank has not answered; None for what is no notice, or is open no more."""
    notice = transaction.more.notice
    if notice is None:
        return None
    return _approval(transaction, notice, at_ms=at_ms, trace=trace)


def _approval(transaction: Transaction, told: StoodIn, *, at_ms: int, trace: str) -> Outcome:
    return Outcome(
        id=transaction.id,
        state=State.APPROVED,
        response_code=rc.APPROVED,
        authorization_code=stand_in_code(transaction.rrn),
        stand_in=told,
        at_ms=at_ms,
        trace=trace,
    )


def advised(transaction: Transaction, code: str, *, at_ms: int, trace: str) -> Advised | None:
    """The bank has taken the advice, or refused it for good. None when a reversal has come in between: it was told that."""
    if transaction.more.stand_in is None:
        return None
    return Advised(id=transaction.id, institution=transaction.institution, response_code=code, at_ms=at_ms, trace=trace)
