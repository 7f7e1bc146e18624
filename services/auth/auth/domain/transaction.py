"""One transaction as the switch keeps it."""

from __future__ import annotations

import msgspec

from contracts.journal import Recalled, StoodIn
from contracts.kinds import Kind
from contracts.response_codes import APPROVED
from contracts.states import State
from contracts.terms import Balance, InstalmentTerms


class Standing(msgspec.Struct, kw_only=True, gc=False):
    """What stands on an original. Where nothing does there is none."""

    taken_minor: int = 0
    spent: bool = False
    """By one claim, that is exclusive."""


class Particulars(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """What is to be known of some kinds of transaction; a plain sale has none."""

    original: str = ""
    """The id of the transaction on which this one stands or stood."""
    target_institution: str = ""
    """Of a transfer: whose card it goes to."""
    asked_minor: int = 0
    """Of a partial approval, and of what was recalled if the ledger said it: the amount that was asked for, which its reversal repeats."""
    balance: Balance | None = None
    instalment: InstalmentTerms | None = None
    chip: bytes = b""
    """The bank's word to the chip."""
    card_digest: str = ""
    """Of one that counts towards the velocity limits: these three say what is to be given back when it comes to nothing."""
    counted_minor: int = 0
    counted_ms: int = 0
    notice: StoodIn | None = None
    """Of a notice that has no outcome: what its bank is told in the end, should it not answer now."""
    stand_in: StoodIn | None = None
    """Approved in the bank's stead, and the bank has yet to be told."""
    recalled: bool = False
    """It comes from the settlement ledger: its request is forgotten, and nobody can be told whether another one is its repetition."""


_NONE = Particulars()
"""Read where a transaction has none."""


class Transaction(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """A transaction of an open batch, of the one before it, or recalled. Holds no container that could point back, so the collector skips it."""

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    """Of a partial approval: what was approved."""
    currency: str
    institution: str
    fingerprint: str
    """Empty for a tombstone, and for one that was recalled."""
    trace: str
    state: State
    at_ms: int
    """When it was decided: what the answer says, and every repetition of it."""
    response_code: str = ""
    authorization_code: str = ""
    reversed_at_ms: int = 0
    undelivered: tuple[str, ...] = ()
    """Institutions that have yet to acknowledge the reversal."""
    standing: Standing | None = None
    particulars: Particulars | None = None

    @property
    def more(self) -> Particulars:
        """To be read only."""
        return self.particulars or _NONE


def recalled(record: Recalled) -> Transaction:
    """The transaction that a record brings back."""
    standing = Standing(taken_minor=record.taken_minor, spent=record.spent) if record.taken_minor else None
    return Transaction(
        id=record.id,
        rrn=record.rrn,
        kind=record.kind,
        terminal=record.terminal,
        merchant=record.merchant,
        batch=record.batch,
        stan=record.stan,
        amount_minor=record.amount_minor,
        currency=record.currency,
        institution=record.institution,
        fingerprint="",
        trace=record.trace,
        state=record.state,
        at_ms=record.decided_ms,
        response_code=APPROVED,
        authorization_code=record.authorization_code,
        standing=standing,
        particulars=Particulars(recalled=True, original=record.original, asked_minor=record.asked_minor),
    )
