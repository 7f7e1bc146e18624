"""Domain structs as rows and back."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row

from contracts.authorization import Totals
from contracts.breaks import Break
from contracts.journal import BreakFound
from contracts.kinds import Kind
from contracts.questions import BreakLine
from contracts.states import State
from settlement import schema
from settlement.domain.ledger import Batch, Entry, KindTotal, Transaction

Values = tuple[Any, ...]

_lines = msgspec.json.Decoder(tuple[KindTotal, ...])


TRANSACTION_COLUMNS = tuple(column.name for column in schema.transactions.columns)


def transaction_row(transaction: Transaction, shard: str) -> Values:
    t = transaction
    return (
        t.id,
        shard,
        t.rrn,
        t.kind.value,
        t.terminal,
        t.merchant,
        t.batch,
        t.stan,
        t.amount_minor,
        t.asked_minor,
        t.currency,
        t.institution,
        t.at_ms,
        t.state.value,
        ",".join(t.awaiting),
        t.authorization_code,
        t.original,
        t.target_institution,
        t.trace,
    )


MOVED_COLUMNS = ("at_ms", "state", "awaiting", "amount_minor", "authorization_code", "trace", "key")


def moved_row(transaction: Transaction) -> Values:
    """What of a stored transaction changes; `key` is its id."""
    t = transaction
    return (t.at_ms, t.state.value, ",".join(t.awaiting), t.amount_minor, t.authorization_code, t.trace, t.id)


def transaction_of(row: Row[Any]) -> Transaction:
    return Transaction(
        id=row.id,
        rrn=row.rrn,
        kind=Kind(row.kind),
        terminal=row.terminal,
        merchant=row.merchant,
        batch=row.batch,
        stan=row.stan,
        amount_minor=row.amount_minor,
        asked_minor=row.asked_minor,
        currency=row.currency,
        institution=row.institution,
        at_ms=row.at_ms,
        state=State(row.state),
        awaiting=tuple(row.awaiting.split(",")) if row.awaiting else (),
        authorization_code=row.authorization_code,
        original=row.original,
        target_institution=row.target_institution,
        trace=row.trace,
    )


def batch_columns(batch: Batch, shard: str) -> dict[str, Any]:
    b = batch
    return {
        "terminal": b.terminal,
        "batch": b.batch,
        "shard": shard,
        "merchant": b.merchant,
        "closed": b.closed,
        "result": b.result,
        "at_ms": b.at_ms,
        "operator": b.operator,
        "stan": b.stan,
        "rrn": b.rrn,
        "currency": b.currency,
        "debit_minor": b.totals.debit_minor,
        "debit_count": b.totals.debit_count,
        "credit_minor": b.totals.credit_minor,
        "credit_count": b.totals.credit_count,
        "lines": msgspec.json.encode(b.lines).decode(),
    }


def batch_of(row: Row[Any]) -> Batch:
    return Batch(
        terminal=row.terminal,
        batch=row.batch,
        merchant=row.merchant,
        closed=row.closed,
        result=row.result,
        at_ms=row.at_ms,
        operator=row.operator,
        stan=row.stan,
        rrn=row.rrn,
        currency=row.currency,
        totals=Totals(
            debit_minor=row.debit_minor,
            debit_count=row.debit_count,
            credit_minor=row.credit_minor,
            credit_count=row.credit_count,
        ),
        lines=_lines.decode(row.lines),
    )


def break_columns(found: BreakFound, shard: str) -> dict[str, Any]:
    return {
        "terminal": found.terminal,
        "batch": found.batch,
        "stan": found.stan,
        "shard": shard,
        "merchant": found.merchant,
        "difference": found.difference.value,
        "currency": found.currency,
        "terminal_minor": found.terminal_minor,
        "host_minor": found.host_minor,
        "host_state": found.host_state.value if found.host_state is not None else "",
        "host_rrn": found.host_rrn,
        "at_ms": found.at_ms,
        "trace": found.trace,
    }


def break_of(row: Row[Any]) -> BreakLine:
    return BreakLine(
        at_ms=row.at_ms,
        terminal=row.terminal,
        merchant=row.merchant,
        batch=row.batch,
        stan=row.stan,
        difference=Break(row.difference),
        currency=row.currency,
        terminal_minor=row.terminal_minor,
        host_minor=row.host_minor,
        host_state=row.host_state,
        host_rrn=row.host_rrn,
    )


ENTRY_COLUMNS = tuple(column.name for column in schema.entries.columns)


def entry_row(entry: Entry, shard: str) -> Values:
    return (entry.id, shard, entry.transaction, entry.kind.value, entry.at_ms)


POSTING_COLUMNS = tuple(column.name for column in schema.postings.columns)


def posting_rows(entry: Entry) -> tuple[Values, Values]:
    """The debit, positive, and the credit, negative."""
    e = entry
    return (e.id, e.debit, e.currency, e.amount_minor), (e.id, e.credit, e.currency, -e.amount_minor)
