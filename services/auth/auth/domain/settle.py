"""Closing a terminal's batch (0500): wait for what is open, compare, settle."""

from __future__ import annotations

from typing import NamedTuple

from auth.domain.authorize import NO_RRN
from auth.domain.batch import FIRST_BATCH, ClosedBatch
from auth.domain.register import Register
from auth.domain.state import Shard
from auth.domain.totals import totals_of
from auth.domain.wait import Wait
from contracts.authorization import BALANCED, NOT_BALANCED, SETTLE_ERROR, SettleReply, SettleRequest, Totals
from contracts.identity import format_rrn
from contracts.journal import BatchClosed, BatchUnbalanced, Record
from contracts.states import State


class Settlement(NamedTuple):
    reply: SettleReply
    records: tuple[Record, ...] = ()


def next_batch(batch: str) -> str:
    """The number after `batch` (n6); 000000 is not used.

    >>> next_batch("000001"), next_batch("999999")
    ('000002', '000001')
    """
    return FIRST_BATCH if batch == "999999" else f"{int(batch) + 1:06d}"


def decide(
    register: Register, shard: Shard, shard_number: int, request: SettleRequest, *, at_ms: int, trace: str
) -> Wait | Settlement:
    """One decision closes the batch: what stands approved then is settled, and no reversal can come in between."""
    entry, terminal = register.terminals.get(request.terminal), shard.terminal(request.terminal)
    ours = entry is not None and entry.merchant == request.merchant
    if ours and terminal.closed is not None and terminal.closed.batch == request.batch:
        return Settlement(_closed_reply(terminal.closed))
    if not ours or request.batch != terminal.batch or request.currency != register.currency:
        return Settlement(SettleReply(result=SETTLE_ERROR, rrn=NO_RRN, at_ms=at_ms, totals=Totals()))
    open_ = tuple(t.id for t in shard.batch_transactions(request.terminal) if t.state is State.INTENT)
    if open_:
        return Wait(open_)
    host, rrn = totals_of(shard, request.terminal), format_rrn(shard_number, shard.number + 1)
    if host != request.totals:
        unbalanced = BatchUnbalanced(
            terminal=request.terminal,
            merchant=request.merchant,
            batch=request.batch,
            operator=request.operator,
            stan=request.stan,
            rrn=rrn,
            currency=request.currency,
            host=host,
            terminal_totals=request.totals,
            at_ms=at_ms,
            trace=trace,
        )
        return Settlement(SettleReply(result=NOT_BALANCED, rrn=rrn, at_ms=at_ms, totals=host), (unbalanced,))
    closed = BatchClosed(
        terminal=request.terminal,
        merchant=request.merchant,
        batch=request.batch,
        next_batch=next_batch(request.batch),
        operator=request.operator,
        stan=request.stan,
        rrn=rrn,
        currency=request.currency,
        totals=host,
        at_ms=at_ms,
        trace=trace,
    )
    return Settlement(SettleReply(result=BALANCED, rrn=rrn, at_ms=at_ms, totals=host), (closed,))


def _closed_reply(closed: ClosedBatch) -> SettleReply:
    return SettleReply(result=closed.result, rrn=closed.rrn, at_ms=closed.at_ms, totals=closed.totals)
