"""How each entry changes what a terminal remembers: the only place that changes a record, so a terminal that is switched on again knows
exactly what it knew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from contracts.authorization import Original
from contracts.identity import transaction_id
from contracts.kinds import CLAIMS, KINDS
from terminal_sim.downloaded import DownloadBegun, Downloaded, DownloadEnded, Downloading, PageKept
from terminal_sim.entries import (
    AdviceTried,
    Answered,
    CloseEnded,
    CloseSent,
    CounterUsed,
    Entry,
    MasterKept,
    OperatorSet,
    ParametersSet,
    ReversalDue,
    ReversalEnded,
    ReversalTried,
    Sent,
    SessionEnded,
    SignedOn,
    Snapshot,
    StanUsed,
    Stored,
)
from terminal_sim.ordered import ResultsDue, ResultsEnded
from terminal_sim.record import (
    PendingReversal,
    TerminalRecord,
    Transaction,
)
from terminal_sim.stored import StoredAdvice
from terminal_sim.uploaded import DetailsUploaded, UploadBegun


def _sent(record: TerminalRecord, entry: Sent) -> None:
    sent = entry.transaction
    _begun(record, sent)
    if KINDS[sent.kind].reversible:
        record.pending = PendingReversal(batch=sent.batch, stan=sent.stan)


def _stored(record: TerminalRecord, entry: Stored) -> None:
    kept = entry.transaction
    _begun(record, kept)
    advice = StoredAdvice(batch=kept.batch, stan=kept.stan, card=entry.card)
    record.advices[transaction_id(record.tid, kept.batch, kept.stan)] = advice


def _begun(record: TerminalRecord, begun: Transaction) -> None:
    record.stan = int(begun.stan)
    record.transactions[transaction_id(record.tid, begun.batch, begun.stan)] = begun
    record.batch_size += KINDS[begun.kind].slip  # what only looks is nowhere in a batch's totals


def _advice_tried(record: TerminalRecord, entry: AdviceTried) -> None:
    identity = transaction_id(record.tid, entry.batch, entry.stan)
    if identity in record.advices:
        record.advices[identity] = msgspec.structs.replace(record.advices[identity], tries=entry.tries)


def _answered(record: TerminalRecord, entry: Answered) -> None:
    identity = transaction_id(record.tid, entry.batch, entry.stan)
    transaction = record.transactions.get(identity)
    if transaction is None:
        return
    transaction.answer_digests.append(entry.digest)
    if len(transaction.answer_digests) > 1:
        return  # a repetition: kept for comparison, changes nothing
    transaction.response_code = entry.response_code
    transaction.rrn = entry.rrn
    transaction.authorization_code = entry.authorization_code
    transaction.date = entry.date
    transaction.part_minor = entry.part_minor
    transaction.certificate = entry.certificate or transaction.certificate
    if transaction.original is not None and transaction.counts:
        _claim(record, transaction, transaction.original, stands=True)
    pending = record.pending
    if pending is not None and (pending.batch, pending.stan) == (entry.batch, entry.stan):
        record.pending = None
    record.advices.pop(identity, None)


def _claim(record: TerminalRecord, claim: Transaction, named: Original, *, stands: bool) -> None:
    """What `claim` has done to its original, or its reversal has undone, where the original is one of this terminal's own."""
    original = record.transaction(named.batch, named.stan)
    if original is None:
        return
    if CLAIMS[claim.kind].exclusive:
        original.claimed_by = claim.kind if stands else None
    else:
        original.refunded_minor += claim.worth_minor if stands else -claim.worth_minor


def _results_due(record: TerminalRecord, entry: ResultsDue) -> None:
    record.results[transaction_id(record.tid, entry.batch, entry.stan)] = entry.results


def _results_ended(record: TerminalRecord, entry: ResultsEnded) -> None:
    record.results.pop(transaction_id(record.tid, entry.batch, entry.stan), None)


def _reversal_due(record: TerminalRecord, entry: ReversalDue) -> None:
    record.pending = PendingReversal(batch=entry.batch, stan=entry.stan, reason=entry.reason)


def _reversal_tried(record: TerminalRecord, entry: ReversalTried) -> None:
    if record.pending is not None:
        record.pending = msgspec.structs.replace(record.pending, tries=entry.tries)


def _reversal_ended(record: TerminalRecord, entry: ReversalEnded) -> None:
    record.pending = None
    transaction = record.transaction(entry.batch, entry.stan)
    if transaction is None:
        return
    if transaction.original is not None and transaction.counts:
        _claim(record, transaction, transaction.original, stands=False)
    transaction.reversed = True


def _parameters_set(record: TerminalRecord, entry: ParametersSet) -> None:
    record.parameters = entry.parameters


def _stan_used(record: TerminalRecord, entry: StanUsed) -> None:
    record.stan = int(entry.stan)


def _counter_used(record: TerminalRecord, entry: CounterUsed) -> None:
    record.counter = entry.counter


def _signed_on(record: TerminalRecord, entry: SignedOn) -> None:
    if entry.session.batch != record.batch:
        record.batch_size = 0
    record.session, record.batch = entry.session, entry.session.batch


def _session_ended(record: TerminalRecord, entry: SessionEnded) -> None:
    record.session = None


def _master_kept(record: TerminalRecord, entry: MasterKept) -> None:
    record.master = entry.key


def _close_sent(record: TerminalRecord, entry: CloseSent) -> None:
    record.stan, record.closing = int(entry.close.stan), entry.close


def _uploaded(record: TerminalRecord, entry: UploadBegun | DetailsUploaded) -> None:
    if record.closing is not None:
        record.closing = msgspec.structs.replace(record.closing, uploading=True, uploaded=entry.count)


def _close_ended(record: TerminalRecord, entry: CloseEnded) -> None:
    record.closing = None
    if entry.closed is not None:
        record.closed.append(entry.closed)


def _download_begun(record: TerminalRecord, entry: DownloadBegun) -> None:
    record.downloading = Downloading(code=entry.code)


def _page_kept(record: TerminalRecord, entry: PageKept) -> None:
    if (at := record.downloading) is not None:
        records = (*at.records, *entry.records)
        record.downloading = Downloading(code=at.code, records=records, complete=entry.last)


def _download_ended(record: TerminalRecord, entry: DownloadEnded) -> None:
    at, record.downloading = record.downloading, None
    if at is not None and entry.version:
        record.downloads[at.code] = Downloaded(version=entry.version, records=at.records)


def _operator_set(record: TerminalRecord, entry: OperatorSet) -> None:
    record.operators[entry.operator] = entry.password_digest


_CHANGES: dict[type[Any], Callable[[TerminalRecord, Any], None]] = {
    Sent: _sent,
    Stored: _stored,
    AdviceTried: _advice_tried,
    Answered: _answered,
    ResultsDue: _results_due,
    ResultsEnded: _results_ended,
    ReversalDue: _reversal_due,
    ReversalTried: _reversal_tried,
    ReversalEnded: _reversal_ended,
    StanUsed: _stan_used,
    CounterUsed: _counter_used,
    SignedOn: _signed_on,
    SessionEnded: _session_ended,
    MasterKept: _master_kept,
    CloseSent: _close_sent,
    UploadBegun: _uploaded,
    DetailsUploaded: _uploaded,
    CloseEnded: _close_ended,
    OperatorSet: _operator_set,
    ParametersSet: _parameters_set,
    DownloadBegun: _download_begun,
    PageKept: _page_kept,
    DownloadEnded: _download_ended,
}


def apply(record: TerminalRecord, entry: Entry) -> TerminalRecord:
    """The record after `entry`: the same object, changed, except that a snapshot is a record of its own."""
    if isinstance(entry, Snapshot):
        return entry.record
    _CHANGES[type(entry)](record, entry)
    return record
