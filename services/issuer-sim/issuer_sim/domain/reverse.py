"""How the bank undoes whatever a transaction did, once, and bars it if it is still to come."""

from __future__ import annotations

from typing import NamedTuple

from contracts import response_codes as rc
from contracts.authorization import IssuerReverseReply
from contracts.ledger import HoldExpired, LedgerRecord, ReversalPosting
from contracts.money import CNY
from issuer_sim.domain.accounts import State, Transaction, key_of

_REPLY = IssuerReverseReply(response_code=rc.APPROVED)


class ReverseDecision(NamedTuple):
    """`records` are to be appended before `reply` leaves."""

    records: tuple[LedgerRecord, ...]
    reply: IssuerReverseReply


class _Reason(NamedTuple):
    """What every record of one reversal says."""

    id: str
    reason: str
    at_ms: int
    trace: str


def decide_reverse(state: State, transaction: str, *, reason: str, at_ms: int, trace: str = "") -> ReverseDecision:
    """Undoes `transaction`, of a transfer both halves; leaves a tombstone when nothing is known of the first. Always answered 00."""
    why = _Reason(transaction, reason, at_ms, trace)
    first, second = (state.find(key_of(transaction, incoming=incoming)) for incoming in (False, True))
    records = _undo(state, first, why, incoming=False)
    if second is not None:  # a first half that is undone, or barred, bars the second
        records += _undo(state, second, why, incoming=True)
    return ReverseDecision(records, _REPLY)


def _undo(state: State, known: Transaction | None, why: _Reason, *, incoming: bool) -> tuple[LedgerRecord, ...]:
    if known is None:
        known = Transaction("")
    elif known.reversed:
        return ()
    account = state.accounts.get(known.account)
    mine = None if incoming else state.holds.of(known.account).get(why.id)
    released = None if incoming else state.holds.released_by(why.id)
    reversal = ReversalPosting(
        at_ms=why.at_ms,
        trace=why.trace,
        id=why.id,
        account=known.account,
        amount_minor=known.amount_minor,
        currency=account.currency if account else CNY,
        reason=why.reason,
        incoming=incoming,
        held_minor=mine.minor if mine else 0,
        restores=released[0] if released else "",
        restored_minor=released[1].minor if released else 0,
    )
    if released is None or released[1].expires_ms > why.at_ms:
        return (reversal,)
    # Its term ran out while it was ended by what is undone now: it stands again for no time at all, and ends as every hold does.
    hold, ended = released
    over = HoldExpired(at_ms=why.at_ms, trace=why.trace, id=hold, account=ended.account, held_minor=ended.minor)
    return (reversal, over)
