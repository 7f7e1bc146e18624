"""The rules of the books: what each journal record posts, one function per kind of record and one table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from contracts.authorization import BALANCED, NOT_BALANCED, Totals
from contracts.journal import (
    Advised,
    BatchClosed,
    BatchUnbalanced,
    BatchUploaded,
    BreakFound,
    CryptogramUploaded,
    DayCut,
    EpochStarted,
    Intent,
    LateAnswer,
    Outcome,
    Recalled,
    Record,
    Reversed,
    Reversing,
    SignedOff,
    SignedOn,
    StopLifted,
    StopListed,
    Tombstone,
)
from contracts.kinds import KINDS
from contracts.states import State, advance
from settlement.domain.book import BatchKey, Book, lines_of, totals_of
from settlement.domain.ledger import Batch, EntryKind, Posted, PostingError, Transaction


def needed(records: Iterable[Record]) -> tuple[set[str], set[BatchKey], set[BatchKey]]:
    """What a Book must know before it takes `records`: transactions by id, batches, and batches with all that stands approved in them.

    A transaction that these records begin is not looked up: most outcomes come right behind their intents, and should the
    ledger hold the transaction already, its key refuses the second one.
    """
    begun: set[str] = set()
    ids: set[str] = set()
    batches: set[BatchKey] = set()
    closing: set[BatchKey] = set()
    for record in records:
        if isinstance(record, Intent):
            begun.add(record.id)
        elif isinstance(record, Outcome | Reversing | Reversed | Tombstone):
            if record.id not in begun:
                ids.add(record.id)
        elif isinstance(record, BatchClosed | BatchUnbalanced):
            closing.add((record.terminal, record.batch))
        elif isinstance(record, SignedOn):
            batches.add((record.terminal, record.batch))
    return ids, batches | closing, closing


def _intent(book: Book, record: Intent) -> None:
    book.begin(
        Transaction(
            id=record.id,
            rrn=record.rrn,
            kind=record.kind,
            terminal=record.terminal,
            merchant=record.merchant,
            batch=record.batch,
            stan=record.stan,
            amount_minor=record.amount_minor,
            asked_minor=record.amount_minor,
            currency=record.currency,
            institution=record.institution,
            at_ms=record.at_ms,
            state=advance(None, State.INTENT),
            original=record.original,
            target_institution=record.target_institution,
        )
    )


def _outcome(book: Book, record: Outcome) -> None:
    transaction, _ = book.move(record.id, record.state)
    transaction.at_ms = record.at_ms
    if record.state is not State.APPROVED:
        return
    if record.part_minor:
        if not 0 < record.part_minor < transaction.amount_minor:
            raise PostingError(
                f"transaction {record.id}: part_minor {record.part_minor} is no part of {transaction.amount_minor}"
            )
        transaction.amount_minor = record.part_minor
    transaction.authorization_code = record.authorization_code
    transaction.trace = record.trace
    book.enter(EntryKind.CAPTURE, transaction, at_ms=record.at_ms, trace=record.trace)


def _reversing(book: Book, record: Reversing) -> None:
    before = _undo(book, record, _asked(book.known(record.id)))
    if record.after_close is not (before is State.SETTLED):
        place = "after" if record.after_close else "before"
        raise PostingError(
            f"transaction {record.id}: reversed {place} the close by the journal, but {before.value} in the ledger"
        )


def _asked(transaction: Transaction) -> tuple[str, ...]:
    """The institutions that a reversal is told to: a transfer's are both, and one if they are the same."""
    first, second = transaction.institution, transaction.target_institution
    return (first,) if second in ("", first) else (first, second)


def _undo(book: Book, record: Reversing | Tombstone, awaiting: tuple[str, ...]) -> State:
    """Moves a transaction to REVERSING and books the opposite of what stands; the state it had."""
    transaction, before = book.move(record.id, State.REVERSING)
    transaction.awaiting = awaiting
    undone = {State.APPROVED: EntryKind.REVERSAL, State.SETTLED: EntryKind.COMPENSATION}.get(before)
    if undone is not None:
        book.enter(undone, transaction, at_ms=record.at_ms, trace=record.trace)
    return before


def _tombstone(book: Book, record: Tombstone) -> None:
    if record.id in book.transactions:
        _late_tombstone(book, record)
        return
    book.begin(
        Transaction(
            id=record.id,
            rrn=record.rrn,
            kind=record.kind,
            terminal=record.terminal,
            merchant=record.merchant,
            batch=record.batch,
            stan=record.stan,
            amount_minor=record.amount_minor,
            asked_minor=record.amount_minor,
            currency=record.currency,
            institution="",
            at_ms=record.at_ms,
            state=advance(None, State.REVERSING),
            awaiting=record.institutions,
        )
    )


def _late_tombstone(book: Book, record: Tombstone) -> None:
    """A reversal of what the switch has archived and the ledger still knows: the institutions are told and undo what they did.

    What had been settled is compensated, by the amount that was settled; what does not settle stood approved, and is reversed.
    What had been declined or reversed stays so; a repeated reversal counts as one.
    """
    transaction = book.known(record.id)
    stands = State.SETTLED if KINDS[transaction.kind].settles else State.APPROVED
    if transaction.state is stands:
        _undo(book, record, record.institutions)
    elif transaction.state in _DONE:
        transaction.awaiting = record.institutions
        book.touched[record.id] = transaction
    else:
        raise PostingError(
            f"transaction {record.id}: unknown to the switch, but {transaction.state.value} in the ledger"
        )


_DONE = (State.DECLINED, State.REVERSED)


def _reversed(book: Book, record: Reversed) -> None:
    transaction = book.known(record.id)
    if record.institution not in transaction.awaiting:
        raise PostingError(
            f"transaction {record.id}: {record.institution} acknowledged a reversal that it was not asked for"
        )
    transaction.awaiting = tuple(i for i in transaction.awaiting if i != record.institution)
    book.touched[record.id] = transaction
    if not transaction.awaiting and transaction.state not in _DONE:
        book.move(record.id, State.REVERSED)


def _signed_on(book: Book, record: SignedOn) -> None:
    book.batch(record)


def _compare(book: Book, record: BatchClosed | BatchUnbalanced, host: Totals) -> list[Transaction]:
    """What the batch settles; raises PostingError when it is not what the host counted."""
    place = f"batch {record.batch} of terminal {record.terminal}"
    standing = book.standing(record.terminal, record.batch)
    foreign = [t.id for t in standing if t.currency != record.currency or t.merchant != record.merchant]
    if foreign:
        raise PostingError(f"{place}: transaction {foreign[0]} has another currency or merchant")
    counted = totals_of(standing)
    if counted != host:
        raise PostingError(f"{place}: the host closed it with {_show(host)}, the ledger holds {_show(counted)}")
    return standing


def _show(totals: Totals) -> str:
    return f"{totals.debit_count} debits of {totals.debit_minor} and {totals.credit_count} credits of {totals.credit_minor} (minor units)"


def _write_close(batch: Batch, record: BatchClosed | BatchUnbalanced, result: str, standing: list[Transaction]) -> None:
    if batch.closed:
        raise PostingError(f"batch {batch.batch} of terminal {batch.terminal}: closed twice")
    batch.closed = isinstance(record, BatchClosed)
    batch.result = result
    batch.at_ms = record.at_ms
    batch.operator = record.operator
    batch.stan = record.stan
    batch.rrn = record.rrn
    batch.currency = record.currency
    batch.totals = totals_of(standing)
    batch.lines = lines_of(standing)


def _batch_closed(book: Book, record: BatchClosed) -> None:
    standing = _compare(book, record, record.totals)
    # A batch that was closed by its details has not balanced: its slip says so.
    _write_close(book.batch(record), record, NOT_BALANCED if record.uploaded else BALANCED, standing)
    for transaction in standing:
        book.move(transaction.id, State.SETTLED)
        # The sale's own trace, so that it reaches from the terminal's frame to here.
        book.enter(
            EntryKind.SETTLEMENT,
            transaction,
            at_ms=record.at_ms,
            trace=transaction.trace,
            caused_by=record.trace,
        )
    book.posted.append(Posted(record.trace, EntryKind.SETTLEMENT, len(standing), record.rrn))


def _batch_unbalanced(book: Book, record: BatchUnbalanced) -> None:
    standing = _compare(book, record, record.host)
    _write_close(book.batch(record), record, NOT_BALANCED, standing)


def _break_found(book: Book, record: BreakFound) -> None:
    """Listed, and posted nowhere: no money follows from it until somebody has looked at it."""
    book.breaks.append(record)


def _nothing(_: Book, __: Record) -> None:
    """Records that move no money and no state."""


_RULES: dict[type, Callable[[Book, Any], None]] = {
    EpochStarted: _nothing,
    SignedOn: _signed_on,
    SignedOff: _nothing,
    Intent: _intent,
    Recalled: _nothing,
    Outcome: _outcome,
    Reversing: _reversing,
    Tombstone: _tombstone,
    Reversed: _reversed,
    LateAnswer: _nothing,
    BatchClosed: _batch_closed,
    BatchUnbalanced: _batch_unbalanced,
    BatchUploaded: _nothing,
    CryptogramUploaded: _nothing,
    BreakFound: _break_found,
    StopListed: _nothing,
    StopLifted: _nothing,
    DayCut: _nothing,
    Advised: _nothing,
}


def post(book: Book, record: Record) -> None:
    """Takes one record into the book; raises PostingError when the books cannot hold it."""
    _RULES[type(record)](book, record)
