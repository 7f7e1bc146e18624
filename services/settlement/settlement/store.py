"""The ledger in SQL: one transaction takes the records of a list of groups, their entries and the checkpoint, or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, bindparam, delete, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from contracts.journal import Record
from contracts.states import State
from runtime.sql import in_lists, make_tables
from settlement import schema
from settlement.bulk import Bulk
from settlement.domain.book import BatchKey, Book
from settlement.domain.ledger import Batch, PostingError, Transaction
from settlement.domain.postings import needed
from settlement.rows import (
    ENTRY_COLUMNS,
    MOVED_COLUMNS,
    POSTING_COLUMNS,
    TRANSACTION_COLUMNS,
    batch_columns,
    batch_of,
    break_columns,
    entry_row,
    moved_row,
    posting_rows,
    transaction_of,
    transaction_row,
)

ENTRY_BITS = 40
"""An entry's number is its shard × 2^40 + a count, so that shards never wait for one another to number their entries."""

_open_account = {
    "sqlite": sqlite.insert(schema.accounts).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(schema.accounts).on_conflict_do_nothing(),
}
"""Another shard may open the same account at this moment, so the row may be there already."""

_MOVED: dict[str, Any] = {name: bindparam(name) for name in MOVED_COLUMNS if name != "key"}
_move = update(schema.transactions).where(schema.transactions.c.id == bindparam("key")).values(_MOVED)

_mine = schema.checkpoints.c.partition == bindparam("shard")
_read_checkpoint = select(schema.checkpoints.c.sequence, schema.checkpoints.c.next_entry).where(_mine).with_for_update()
_move_checkpoint = (
    update(schema.checkpoints).where(_mine).values(sequence=bindparam("sequence"), next_entry=bindparam("next_entry"))
)


class _Statements:
    """What runs once per row, compiled for one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.begin = Bulk(insert(schema.transactions), TRANSACTION_COLUMNS, dialect)
        self.move = Bulk(_move, MOVED_COLUMNS, dialect)
        self.enter = Bulk(insert(schema.entries), ENTRY_COLUMNS, dialect)
        self.post = Bulk(insert(schema.postings), POSTING_COLUMNS, dialect)


class Ledger:
    """The books, open for writing. One instance per engine; each shard writes from its own thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._accounts: frozenset[str] = frozenset()
        self._statements = _Statements(engine.dialect)
        make_tables(engine, schema.metadata)

    def checkpoint(self, partition: str) -> int:
        """Sequence of the last group in the books, 0 before the first."""
        with self._engine.begin() as connection:
            return _checkpoint(connection, partition)[0]

    @contextmanager
    def writing(self, partition: str) -> Iterator[Writing]:
        """One SQL transaction: committed when the block ends, undone by any exception. PostingError when the books refuse a row."""
        with self._engine.begin() as connection:
            writing = Writing(connection, partition, self._accounts, self._statements)
            try:
                yield writing
            except IntegrityError as error:
                raise PostingError(f"shard {partition}, behind sequence {writing.sequence}: {error.orig}") from None
        self._accounts |= writing.accounts  # only now are they there for good


class Writing:
    """One SQL transaction on the books of one shard. `sequence` and `next_entry` stand where its last one left them."""

    def __init__(
        self, connection: Connection, partition: str, accounts: frozenset[str], statements: _Statements
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._partition = partition
        self.accounts = accounts
        self.sequence, self.next_entry = _checkpoint(connection, partition)

    def book(self, records: Collection[Record]) -> Book:
        """A Book that knows what `records` need."""
        ids, batches, closing = needed(records)
        transactions = {t.id: t for chunk in in_lists(sorted(ids)) for t in self._by_id(chunk)}
        for terminal, batch in sorted(closing):
            for transaction in self._standing(terminal, batch):
                transactions.setdefault(transaction.id, transaction)
        known = [b for chunk in in_lists(sorted(batches)) for b in self._batches(chunk)]
        return Book(self.next_entry, transactions.values(), known)

    def _by_id(self, ids: list[str]) -> list[Transaction]:
        rows = self._connection.execute(select(schema.transactions).where(schema.transactions.c.id.in_(ids)))
        return [transaction_of(row) for row in rows]

    def _standing(self, terminal: str, batch: str) -> list[Transaction]:
        t = schema.transactions.c
        query = select(schema.transactions).where(
            t.terminal == terminal, t.batch == batch, t.state == State.APPROVED.value
        )
        return [transaction_of(row) for row in self._connection.execute(query)]

    def _batches(self, keys: list[BatchKey]) -> list[Batch]:
        b = schema.batches.c
        rows = self._connection.execute(select(schema.batches).where(tuple_(b.terminal, b.batch).in_(keys)))
        return [batch_of(row) for row in rows]

    def save(self, book: Book, sequence: int) -> None:
        """Writes what the book holds as new or changed, and `sequence` as the checkpoint."""
        self._save_transactions(book)
        self._save_batches(book)
        self._save_entries(book)
        self._save_breaks(book)
        at = {"shard": self._partition, "sequence": sequence, "next_entry": book.next_entry}
        self._connection.execute(_move_checkpoint, at)

    def _save_transactions(self, book: Book) -> None:
        touched = book.touched.values()
        begun = [transaction_row(t, self._partition) for t in touched if book.is_new(t)]
        moved = [moved_row(t) for t in touched if not book.is_new(t)]
        self._statements.begin.run(self._connection, begun)
        self._statements.move.run(self._connection, moved)

    def _save_batches(self, book: Book) -> None:
        b = schema.batches.c
        for batch in book.touched_batches.values():
            columns = batch_columns(batch, self._partition)
            if book.is_new_batch(batch):
                self._connection.execute(insert(schema.batches), columns)
            else:
                mine = (b.terminal == batch.terminal) & (b.batch == batch.batch)
                self._connection.execute(update(schema.batches).where(mine).values(columns))

    def _save_breaks(self, book: Book) -> None:
        """The last word counts: after a restore a batch may be compared and closed again."""
        k = schema.breaks.c
        for found in book.breaks:
            mine = (k.terminal == found.terminal) & (k.batch == found.batch) & (k.stan == found.stan)
            self._connection.execute(delete(schema.breaks).where(mine))
            self._connection.execute(insert(schema.breaks), break_columns(found, self._partition))

    def _save_entries(self, book: Book) -> None:
        if not book.entries:
            return
        missing = {name for e in book.entries for name in (e.debit, e.credit)} - self.accounts
        if missing:
            statement = _open_account[self._connection.dialect.name]
            self._connection.execute(statement, [{"name": name} for name in sorted(missing)])
            self.accounts |= missing
        self._statements.enter.run(self._connection, [entry_row(e, self._partition) for e in book.entries])
        self._statements.post.run(self._connection, [row for e in book.entries for row in posting_rows(e)])


def _checkpoint(connection: Connection, partition: str) -> tuple[int, int]:
    """Sequence and next entry number, held against other writers until the transaction ends; made at the first call."""
    row = connection.execute(_read_checkpoint, {"shard": partition}).one_or_none()
    if row is not None:
        return row.sequence, row.next_entry
    first = (int(partition) << ENTRY_BITS) + 1
    connection.execute(insert(schema.checkpoints), {"partition": partition, "sequence": 0, "next_entry": first})
    return 0, first
