"""What the file of a kind says: which checks come first, what is booked, and what the answer holds beside the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts.authorization import IssuerReply
from contracts.terms import InstalmentTerms
from issuer_sim.domain.accounts import Account, State
from issuer_sim.domain.facts import Asked
from issuer_sim.domain.rules import Check


class Booking(NamedTuple):
    """What an approval does to the account: the fields of contracts.ledger.Posting by the same names."""

    amount_minor: int = 0
    held_minor: int = 0
    expires_ms: int = 0
    releases: str = ""
    released_minor: int = 0
    part_of_minor: int = 0
    asked_minor: int = 0
    instalment: InstalmentTerms | None = None


class Case(NamedTuple):
    """One request that has passed the checks of its kind."""

    state: State
    account: Account
    asked: Asked
    available_minor: int
    """Once the holds that are due have ended."""


class Rule(NamedTuple):
    """One kind's."""

    checks: tuple[Check, ...]
    book: Callable[[Case], Booking | str]
    """What an approval books, or the response code that refuses."""
    tell: Callable[[IssuerReply, Case], IssuerReply] | None = None
    """The reply to an approval with what it holds of this kind."""
    forced: bool = False
    """Booked whatever the account holds."""
    numbered: bool = True
    """An approval has an authorization code; a question's has none."""
