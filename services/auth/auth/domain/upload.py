"""An unbalanced batch (0320): take the terminal's details, compare them with what the host holds, close.

What only the host holds approved is reversed and is no part of the batch; what only the terminal holds is never settled by itself but found
as a break, for somebody to look at. Both sides name a transaction by its STAN: within a batch of a terminal there is no second one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from auth.domain.batch import Terminal, Upload
from auth.domain.register import Register
from auth.domain.settle import next_batch
from auth.domain.state import Shard
from auth.domain.totals import totals_of
from auth.domain.transaction import Transaction
from auth.domain.wait import Wait
from contracts import response_codes as rc
from contracts.authorization import UploadedDetail, UploadReply, UploadRequest
from contracts.batch import MOST
from contracts.breaks import Break
from contracts.identity import format_rrn, transaction_id
from contracts.journal import BatchClosed, BatchUploaded, BreakFound, CryptogramUploaded, Record, Reversing
from contracts.kinds import KINDS
from contracts.states import State

_OTHER_REASON = "06"
"""Field 39 of a 0400 for what is neither a lost answer nor a wrong MAC."""


class Uploaded(NamedTuple):
    """Answered once `records` (none for a repetition) and all before them are durable. All of them are one group."""

    reply: UploadReply
    records: tuple[Record, ...] = ()


def decide(
    register: Register, shard: Shard, shard_number: int, request: UploadRequest, *, at_ms: int, trace: str
) -> Wait | Uploaded:
    """What an upload says of a batch that is closed already is answered as if it were new: the answer was lost."""
    entry = register.terminals.get(request.terminal)
    if entry is None or entry.merchant != request.merchant:
        code = rc.UNKNOWN_TERMINAL if entry is None else rc.INVALID_MERCHANT
        return Uploaded(UploadReply(response_code=code, at_ms=at_ms))
    terminal = shard.terminal(request.terminal)
    closed = terminal.closed is not None and terminal.closed.batch == request.batch
    if not closed and (terminal.upload is None or terminal.batch != request.batch):
        return Uploaded(UploadReply(response_code=rc.INVALID_RELATED_TRANSACTION, at_ms=at_ms))
    if request.count is None:
        return _details(terminal, request, closed=closed, at_ms=at_ms, trace=trace)
    if terminal.closed is not None and closed:
        return Uploaded(UploadReply(response_code=rc.APPROVED, rrn=terminal.closed.rrn, at_ms=terminal.closed.at_ms))
    return _end(shard, shard_number, request, at_ms=at_ms, trace=trace)


def _details(terminal: Terminal, request: UploadRequest, *, closed: bool, at_ms: int, trace: str) -> Uploaded:
    """One message's details. Each counts once, in whatever order and however often the messages come."""
    told = {} if closed or terminal.upload is None else dict(terminal.upload.details)
    fresh: list[UploadedDetail] = []
    for detail in () if closed else request.details:
        if told.setdefault(detail.stan, detail.amount_minor) != detail.amount_minor:
            return Uploaded(UploadReply(response_code=rc.DUPLICATE, at_ms=at_ms))
        if detail.stan not in (terminal.upload.details if terminal.upload else ()) and detail not in fresh:
            fresh.append(detail)
    if len(told) > MOST:
        return Uploaded(UploadReply(response_code=rc.FORMAT_ERROR, at_ms=at_ms))
    records: list[Record] = []
    if fresh:
        records.append(
            BatchUploaded(
                terminal=request.terminal,
                merchant=request.merchant,
                batch=request.batch,
                details=tuple(fresh),
                at_ms=at_ms,
                trace=trace,
            )
        )
    if request.cryptogram is not None:
        stan = request.details[0].stan if request.details else request.stan
        known = terminal.cryptograms.get(transaction_id(request.terminal, request.batch, stan))
        if known is None:
            records.append(
                CryptogramUploaded(
                    terminal=request.terminal,
                    merchant=request.merchant,
                    batch=request.batch,
                    stan=stan,
                    cryptogram=request.cryptogram,
                    at_ms=at_ms,
                    trace=trace,
                )
            )
        elif known != request.cryptogram.cryptogram:
            return Uploaded(UploadReply(response_code=rc.DUPLICATE, at_ms=at_ms))
    return Uploaded(UploadReply(response_code=rc.APPROVED, at_ms=at_ms), tuple(records))


def _end(shard: Shard, shard_number: int, request: UploadRequest, *, at_ms: int, trace: str) -> Wait | Uploaded:
    """One decision compares and closes: its records are one group, so the close cannot be half done."""
    upload = shard.terminal(request.terminal).upload
    if upload is None or request.count != len(upload.details):
        return Uploaded(UploadReply(response_code=rc.INVALID_RELATED_TRANSACTION, at_ms=at_ms))
    open_ = tuple(t.id for t in shard.batch_transactions(request.terminal) if t.state is State.INTENT)
    if open_:
        return Wait(open_)
    undone = tuple(_undone(shard, request.terminal, upload))
    reversing = [Reversing(id=t.id, reason=_OTHER_REASON, origin="host", at_ms=at_ms, trace=trace) for t in undone]
    gone = {t.id for t in undone}
    closed = BatchClosed(
        terminal=request.terminal,
        merchant=request.merchant,
        batch=request.batch,
        next_batch=next_batch(request.batch),
        operator=upload.operator,
        stan=upload.stan,
        rrn=format_rrn(shard_number, shard.number + 1),
        currency=upload.currency,
        totals=totals_of(shard, request.terminal, without=gone),
        uploaded=True,
        at_ms=at_ms,
        trace=trace,
    )
    breaks = _breaks(shard, request, upload, gone, at_ms=at_ms, trace=trace)
    reply = UploadReply(response_code=rc.APPROVED, rrn=closed.rrn, at_ms=at_ms)
    return Uploaded(reply, (*reversing, *breaks, closed))


def _host_only(shard: Shard, terminal: str, upload: Upload) -> Iterator[Transaction]:
    """What stands approved here, counts in the batch's totals, and the terminal has not uploaded; the newest first."""
    for transaction in reversed(list(shard.batch_transactions(terminal))):
        counts = transaction.state is State.APPROVED and KINDS[transaction.kind].settles
        if counts and transaction.stan not in upload.details:
            yield transaction


def _undone(shard: Shard, terminal: str, upload: Upload) -> Iterator[Transaction]:
    """What of it is reversed, a claim before its original: not a notice, for what it tells of has happened and its terminal has said so itself;
    and not an original on which a claim stands that stays (ADR 0027)."""
    falling: dict[str, int] = {}
    """Original → what the claims on it come to that are reversed here."""
    for transaction in _host_only(shard, terminal, upload):
        if not KINDS[transaction.kind].reversible:
            continue
        if transaction.standing is not None:
            going = falling.get(transaction.id, 0) + shard.being_reversed_minor(transaction.id)
            if going < transaction.standing.taken_minor:
                continue
        if original := transaction.more.original:
            falling[original] = falling.get(original, 0) + transaction.amount_minor
        yield transaction


def _breaks(
    shard: Shard, request: UploadRequest, upload: Upload, gone: Iterable[str], *, at_ms: int, trace: str
) -> Iterator[BreakFound]:
    """What is left to differ: by STAN, what the terminal has told; then what only the host holds and keeps."""

    def found(difference: Break, stan: str, known: Transaction | None, terminal_minor: int) -> BreakFound:
        return BreakFound(
            terminal=request.terminal,
            merchant=request.merchant,
            batch=request.batch,
            stan=stan,
            difference=difference,
            currency=upload.currency,
            terminal_minor=terminal_minor,
            host_minor=known.amount_minor if known is not None else 0,
            host_state=known.state if known is not None else None,
            host_rrn=known.rrn if known is not None else "",
            at_ms=at_ms,
            trace=trace,
        )

    for stan, amount_minor in sorted(upload.details.items()):
        known = shard.transactions.get(transaction_id(request.terminal, request.batch, stan))
        if known is None or known.state is not State.APPROVED:
            yield found(Break.TERMINAL_ONLY, stan, known, amount_minor)
        elif known.amount_minor != amount_minor:
            yield found(Break.AMOUNT_DIFFERS, stan, known, amount_minor)
    for transaction in _host_only(shard, request.terminal, upload):
        if transaction.id not in gone:
            yield found(Break.HOST_ONLY, transaction.stan, transaction, 0)
