"""The earlier transaction that a request is about. How much of it may be claimed, and by what else it is, the switch has looked at."""

from __future__ import annotations

from contracts import response_codes as rc
from issuer_sim.domain.accounts import Transaction
from issuer_sim.domain.holds import Hold
from issuer_sim.domain.kinds.rule import Booking, Case


def standing(case: Case) -> Transaction | str:
    """The original, or why not: 25 when the bank has never seen it, 12 when it is not approved, is reversed or is another account's."""
    original = case.state.find(case.asked.original)
    if original is None:
        # Of what is archived only approvals with an amount are kept: this one was none, or a hold that has ended.
        archived = case.state.is_archived(case.asked.original)
        return rc.INVALID_RELATED_TRANSACTION if archived else rc.ORIGINAL_NOT_FOUND
    stands = original.response_code in rc.APPROVALS and not original.reversed
    return original if stands and original.account == case.account.number else rc.INVALID_RELATED_TRANSACTION


def standing_hold(case: Case) -> Hold | str:
    """The hold of the pre-authorization, or why not: as `standing`, and 12 when it has been ended or its term is over."""
    original = standing(case)
    if isinstance(original, str):
        return original
    hold = case.state.holds.of(case.account.number).get(case.asked.original)
    return hold if hold is not None and hold.expires_ms > case.asked.at_ms else rc.INVALID_RELATED_TRANSACTION


def give_back(case: Case) -> Booking | str:
    """The amount comes back to the account that the original took it from; of another currency what it adds to all that has (domain.returns)."""
    original, asked = standing(case), case.asked
    if isinstance(original, str):
        return original
    if asked.bank.billing is None or not asked.billed_minor:
        return Booking(-asked.amount_minor)
    share_minor = case.state.returns.share(
        asked.original, asked.billed_minor, original.amount_minor, asked.bank.billing
    )
    return Booking(-share_minor, asked_minor=asked.billed_minor)


def complete(case: Case, *, forced: bool) -> Booking | str:
    """Takes the amount and ends the whole hold. What the hold does not cover must be there, unless it is forced."""
    hold = standing_hold(case)
    if isinstance(hold, str):
        return hold
    uncovered_minor = case.asked.amount_minor - hold.minor
    if not forced and uncovered_minor > max(case.available_minor, 0):
        return rc.INSUFFICIENT_FUNDS
    return Booking(case.asked.amount_minor, releases=case.asked.original, released_minor=hold.minor)
