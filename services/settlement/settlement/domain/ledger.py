"""What the books are made of.

Signs: a debit is positive, a credit negative, in minor units; every entry has one of each and so sums to zero.
Accounts are named by owner and side: `issuer:<institution>:receivable`, `merchant:<number>:captured`, `merchant:<number>:payable`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from contracts.authorization import Totals
from contracts.kinds import Kind
from contracts.states import State


class PostingError(Exception):
    """The journal says what the books cannot hold. The projection stops here and skips nothing; the text names the place."""


class EntryKind(StrEnum):
    """What an entry books. At most one entry of each kind per transaction, for ever."""

    CAPTURE = "capture"
    """Approved: what a sale takes the issuer owes, and its merchant's part is captured; what is given back the other way round."""
    REVERSAL = "reversal"
    """Reversed before its batch was closed: the capture undone."""
    SETTLEMENT = "settlement"
    """Its batch was closed while it stood approved: what was captured is now payable, to the merchant or by it."""
    COMPENSATION = "compensation"
    """Reversed after its batch was closed: what was settled is taken back."""


def issuer_receivable(institution: str) -> str:
    return f"issuer:{institution}:receivable"


def merchant_captured(merchant: str) -> str:
    return f"merchant:{merchant}:captured"


def merchant_payable(merchant: str) -> str:
    return f"merchant:{merchant}:payable"


class Entry(msgspec.Struct, frozen=True):
    """One double entry: `amount_minor` from the account credited to the account debited."""

    id: int
    transaction: str
    kind: EntryKind
    at_ms: int
    debit: str
    credit: str
    currency: str
    amount_minor: int


class Posted(msgspec.Struct, frozen=True):
    """What a trace is told about: entries of one kind that the work at `trace` (W3C traceparent, maybe empty) brought about."""

    trace: str
    kind: EntryKind
    entries: int
    rrn: str
    """Of the transaction, or of the batch close."""
    caused_by: str = ""
    """Traceparent of the batch close, where that posted it in the sale's own trace."""


class Transaction(msgspec.Struct, kw_only=True):
    """A transaction as the journal has told it so far."""

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    """As asked for; once it is approved in part (10), that part."""
    asked_minor: int
    """As asked for, and so for ever."""
    currency: str
    institution: str
    at_ms: int
    """Host time of the outcome, of the intent or tombstone before there is one."""
    state: State
    awaiting: tuple[str, ...] = ()
    """Institutions that have yet to acknowledge the reversal."""
    authorization_code: str = ""
    """Of the approval."""
    original: str = ""
    """The transaction that this one has a claim on (contracts.kinds.CLAIMS)."""
    target_institution: str = ""
    """Of a transfer: the bank of the card that it goes to."""
    trace: str = ""
    """Traceparent of the approval, so that the posting of the batch close is found in the sale's trace as well."""


class KindTotal(msgspec.Struct, frozen=True):
    """One line of a settlement slip."""

    kind: Kind
    count: int
    amount_minor: int


class Batch(msgspec.Struct, kw_only=True):
    """A terminal's batch; `result` is the digit of field 48 of the last close that was asked for, empty before."""

    terminal: str
    batch: str
    merchant: str
    closed: bool = False
    result: str = ""
    at_ms: int = 0
    """Host time of that close."""
    operator: str = ""
    stan: str = ""
    rrn: str = ""
    currency: str = ""
    totals: Totals = Totals()
    """What the host counted."""
    lines: tuple[KindTotal, ...] = ()
    """The same by kind of transaction."""
