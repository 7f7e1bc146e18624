"""Holds whose term is over end by the bank's clock: when their account is asked for anything, and otherwise when the bank goes through all of them."""

from __future__ import annotations

from itertools import islice

from contracts.ledger import HoldExpired
from issuer_sim.domain.accounts import Account, State


def of_account(state: State, account: Account, at_ms: int, trace: str = "") -> tuple[HoldExpired, ...]:
    """The holds of one account that are due."""
    return tuple(
        HoldExpired(at_ms=at_ms, trace=trace, id=id_, account=account.number, held_minor=hold.minor)
        for id_, hold in state.holds.of(account.number).items()
        if hold.expires_ms <= at_ms
    )


def of_bank(state: State, at_ms: int, *, most: int) -> tuple[HoldExpired, ...]:
    """The holds of all accounts that are due, `most` of them at once."""
    due = (
        HoldExpired(at_ms=at_ms, id=id_, account=account, held_minor=hold.minor)
        for account, holds in state.holds.open.items()
        for id_, hold in holds.items()
        if hold.expires_ms <= at_ms
    )
    return tuple(islice(due, most))
