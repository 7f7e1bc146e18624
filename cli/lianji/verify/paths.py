"""A transaction's way through the journal, as one row."""

from __future__ import annotations

import msgspec

from contracts.journal import Intent, Tombstone
from contracts.kinds import KINDS
from contracts.states import State

TABLE = "transactions"

STANDS = "t.state IN ('approved', 'settled')"
"""SQL: approved and not reversed."""
UNFINISHED = "state IN ('intent', 'reversing') OR waiting <> ''"
"""SQL: what an owner still has to do: an intent without outcome, a reversal that a bank has not acknowledged."""


class Path(msgspec.Struct, gc=False):
    """The row; the key comes first."""

    id: str
    shard: str
    rrn: str
    kind: str
    debit: bool
    terminal: str
    merchant: str
    batch: str
    stan: str
    operator: str
    entry_mode: str
    card: str
    """Masked."""
    amount_minor: int
    currency: str
    institution: str
    trace: str
    """Trace id of the intent or tombstone."""
    begun_ms: int
    begun_sequence: int
    state: str
    steps: str
    waiting: str
    """Institutions that have yet to acknowledge a reversal, with commas."""
    response_code: str = ""
    authorization_code: str = ""
    approved: bool = False
    settled: bool = False
    undone: bool = False
    """Reversed after it had been approved."""
    decided_ms: int = 0
    decided_sequence: int = 0
    decided_position: int = 0
    undone_ms: int = 0
    undone_sequence: int = 0
    late_sequence: int = 0
    """Of a bank's answer that came after the reversal."""
    again: bool = False
    """Its end was recorded again by a restore, at another place than before."""


def trace_id(traceparent: str) -> str:
    """The trace of a W3C traceparent (Trace Context, 3.2.2); empty when there is none."""
    return traceparent[3:35]


def begin(record: Intent | Tombstone, shard: str, sequence: int) -> Path:
    """The path that an intent begins, or the tombstone of what nobody knows."""
    known = isinstance(record, Intent)
    state = State.INTENT if known else State.REVERSING
    return Path(
        id=record.id,
        shard=shard,
        rrn=record.rrn,
        kind=record.kind.value,
        debit=KINDS[record.kind].debit,
        terminal=record.terminal,
        merchant=record.merchant,
        batch=record.batch,
        stan=record.stan,
        operator=record.operator if isinstance(record, Intent) else "",
        entry_mode=record.entry_mode if isinstance(record, Intent) else "",
        card=str(record.card) if isinstance(record, Intent) else "",
        amount_minor=record.amount_minor,
        currency=record.currency,
        institution=record.institution if isinstance(record, Intent) else "",
        trace=trace_id(record.trace),
        begun_ms=record.at_ms,
        begun_sequence=sequence,
        state=state.value,
        steps=state.value,
        waiting="" if isinstance(record, Intent) else ",".join(record.institutions),
    )
