"""What comes of what a till does."""

from __future__ import annotations

import msgspec

from contracts.authorization import Totals
from contracts.kinds import Kind
from contracts.response_codes import APPROVALS
from contracts.terms import Balance, InstalmentTerms
from terminal_sim.outcomes import Outcome, Refused, ReversalOutcome, TransactionOutcome


class SwipeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction came to, of whatever kind."""

    kind: Kind = Kind.SALE
    amount_minor: int = 0
    """As it was asked for."""
    rc: str = ""
    """Field 39; empty when no answer could be trusted, or when nothing was sent and the host did not say why."""
    rrn: str = ""
    auth_code: str = ""
    batch: str = ""
    stan: str = ""
    duration_us: int = 0
    """From the moment the terminal began to build the request to the checked answer."""
    pending: bool = False
    """Its reversal waits to be sent."""
    reversed: bool = False
    """Its reversal has gone through."""
    refused: str = ""
    """Why the terminal sent nothing; empty when it did."""
    reason: str = ""
    """Why the answer could not be used."""
    reversal: ReversalOutcome | None = None
    """The reversal of an earlier transaction that went ahead of it."""
    stored: bool = False
    """It is a notice that the terminal keeps until the host has answered it."""
    part_minor: int = 0
    """With 10: what was approved of the amount."""
    balance: Balance | None = None
    terms: InstalmentTerms | None = None
    notices: tuple[TransactionOutcome, ...] = ()
    """What became of the notices that went ahead of it."""

    @property
    def approved(self) -> bool:
        return self.rc in APPROVALS and not self.pending and not self.reversed and not self.refused and not self.stored

    @property
    def duration_ms(self) -> float:
        return self.duration_us / 1000


class CloseResult(msgspec.Struct, frozen=True, kw_only=True):
    """What closing the batch came to."""

    balanced: bool = False
    result: str = ""
    """1 balanced, 2 not balanced, 3 error; empty without an answer."""
    batch: str = ""
    totals: Totals = Totals()
    """The terminal's own."""
    host: Totals | None = None
    rc: str = ""
    rrn: str = ""
    refused: str = ""
    """Why nothing was sent."""
    closed: bool = False
    """The host has closed the batch: it balanced, or its details were uploaded."""
    uploaded: int = 0
    """Details that the host has taken."""


def result_of(
    kind: Kind,
    outcome: Outcome | None,
    *,
    duration_us: int = 0,
    reversal: ReversalOutcome | None = None,
    notices: tuple[TransactionOutcome, ...] = (),
) -> SwipeResult:
    """Of an outcome; `kind` is what it is of, if nothing was sent."""
    if not isinstance(outcome, TransactionOutcome):
        code = outcome.response_code if isinstance(outcome, Refused) else ""
        return SwipeResult(kind=kind, rc=code, refused=reason_of(outcome), reversal=reversal, notices=notices)
    return SwipeResult(
        kind=outcome.kind,
        amount_minor=outcome.amount_minor,
        rc=outcome.response_code,
        rrn=outcome.rrn,
        auth_code=outcome.authorization_code,
        batch=outcome.batch,
        stan=outcome.stan,
        duration_us=duration_us,
        pending=outcome.pending,
        stored=outcome.stored,
        reason=outcome.reason,
        reversal=reversal,
        part_minor=outcome.part_minor,
        balance=outcome.balance,
        terms=outcome.terms,
        notices=notices,
    )


def reason_of(outcome: Outcome | None) -> str:
    """Why nothing was sent."""
    return outcome.reason if isinstance(outcome, Refused) else "the terminal did something else"
