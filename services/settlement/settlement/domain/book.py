"""What is known before a list of records, and what the list makes of it; to be stored in one piece.

Entry numbers count up per shard, so the same journal always gives the same rows, however it was cut into lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from contracts.authorization import Totals
from contracts.journal import BatchClosed, BatchUnbalanced, BreakFound, SignedOn
from contracts.kinds import KINDS
from contracts.states import IllegalMoveError, State, advance
from settlement.domain.ledger import Batch, Entry, EntryKind, KindTotal, Posted, PostingError, Transaction
from settlement.domain.sides import sides

BatchKey = tuple[str, str]
"""Terminal and batch number."""


def totals_of(standing: Iterable[Transaction]) -> Totals:
    """Field 48 as the host counts it: debits take money from cards, credits give it back, and what does neither is not counted."""
    debit_minor = debit_count = credit_minor = credit_count = 0
    for transaction in standing:
        facts = KINDS[transaction.kind]
        if facts.debit:
            debit_minor += transaction.amount_minor
            debit_count += 1
        elif facts.credit:
            credit_minor += transaction.amount_minor
            credit_count += 1
    return Totals(
        debit_minor=debit_minor, debit_count=debit_count, credit_minor=credit_minor, credit_count=credit_count
    )


def lines_of(standing: Iterable[Transaction]) -> tuple[KindTotal, ...]:
    """Count and amount by kind, in the order of the table of kinds."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for transaction in standing:
        line = counts[transaction.kind]
        line[0] += 1
        line[1] += transaction.amount_minor
    return tuple(KindTotal(kind, *counts[kind]) for kind in KINDS if kind in counts)


class Book:
    """The books of one shard while a list of records is posted."""

    def __init__(self, next_entry: int, transactions: Iterable[Transaction], batches: Iterable[Batch]) -> None:
        self.next_entry = next_entry
        self.transactions = {t.id: t for t in transactions}
        self.batches = {(b.terminal, b.batch): b for b in batches}
        self._known = frozenset(self.transactions)
        self._known_batches = frozenset(self.batches)
        self._members: dict[BatchKey, list[Transaction]] = defaultdict(list)
        for transaction in self.transactions.values():
            self._members[transaction.terminal, transaction.batch].append(transaction)
        self.touched: dict[str, Transaction] = {}
        self.touched_batches: dict[BatchKey, Batch] = {}
        self.entries: list[Entry] = []
        self.posted: list[Posted] = []
        self.breaks: list[BreakFound] = []

    def is_new(self, transaction: Transaction) -> bool:
        return transaction.id not in self._known

    def is_new_batch(self, batch: Batch) -> bool:
        return (batch.terminal, batch.batch) not in self._known_batches

    def begin(self, transaction: Transaction) -> None:
        if transaction.id in self.transactions:
            raise PostingError(f"transaction {transaction.id}: begun twice")
        self.transactions[transaction.id] = self.touched[transaction.id] = transaction
        self._members[transaction.terminal, transaction.batch].append(transaction)

    def known(self, id: str) -> Transaction:
        transaction = self.transactions.get(id)
        if transaction is None:
            raise PostingError(f"transaction {id}: it moves, but the journal has not begun it")
        return transaction

    def move(self, id: str, to: State) -> tuple[Transaction, State]:
        """The transaction in its new state, and the state it had."""
        transaction = self.known(id)
        before = transaction.state
        try:
            transaction.state = advance(before, to)
        except IllegalMoveError as error:
            raise PostingError(f"transaction {id}: {error}") from None
        self.touched[id] = transaction
        return transaction, before

    def enter(self, kind: EntryKind, transaction: Transaction, *, at_ms: int, trace: str, caused_by: str = "") -> None:
        """The entry of `kind`, if such a transaction has one."""
        t = transaction
        between = sides(kind, t)
        if between is None:
            return
        self.entries.append(Entry(self.next_entry, t.id, kind, at_ms, *between, t.currency, t.amount_minor))
        self.posted.append(Posted(trace, kind, 1, t.rrn, caused_by))
        self.next_entry += 1

    def standing(self, terminal: str, batch: str) -> list[Transaction]:
        """What a close of the batch settles, in one order for ever: that of the voucher numbers."""
        members = (t for t in self._members[terminal, batch] if t.state is State.APPROVED and KINDS[t.kind].settles)
        return sorted(members, key=lambda t: t.stan)

    def batch(self, record: SignedOn | BatchClosed | BatchUnbalanced) -> Batch:
        key = (record.terminal, record.batch)
        batch = self.batches.get(key)
        if batch is None:
            batch = self.batches[key] = Batch(terminal=record.terminal, batch=record.batch, merchant=record.merchant)
        self.touched_batches[key] = batch
        return batch
