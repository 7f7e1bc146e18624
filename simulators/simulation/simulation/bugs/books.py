"""Bugs of settlement."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from settlement.domain import postings
from settlement.domain.book import Book
from settlement.domain.ledger import EntryKind
from settlement.projection import LedgerProjection
from settlement.store import _move_checkpoint
from simulation.bugs.bug import Replaced

_enter = Book.enter
_LATER_S = 0.1


def _twice(kind: EntryKind) -> Any:
    """Entries of one kind are booked by twice their amount."""

    def enter(self: Book, of: EntryKind, transaction: Any, **more: Any) -> None:
        before = len(self.entries)
        _enter(self, of, transaction, **more)
        if of is kind and len(self.entries) > before:
            self.entries[-1] = replace(self.entries[-1], amount_minor=2 * transaction.amount_minor)

    return enter


def _never(kind: EntryKind) -> Any:
    def enter(self: Book, of: EntryKind, transaction: Any, **more: Any) -> None:
        if of is not kind:
            _enter(self, of, transaction, **more)

    return enter


def _checkpoint_first(self: LedgerProjection, partition: str, groups: Any) -> None:
    """The groups are called read, and their rows are written a moment later: by whoever lives then."""
    with self._ledger.writing(partition) as writing:
        fresh = [group for group in groups if group.sequence > writing.sequence]
        if not fresh:
            return
        at = {"shard": partition, "sequence": fresh[-1].sequence, "next_entry": writing.next_entry}
        writing._connection.execute(_move_checkpoint, at)

    def rows() -> None:
        with self._ledger.writing(partition) as writing:
            book = writing.book([record for group in fresh for record in group.records])
            for group in fresh:
                for record in group.records:
                    postings.post(book, record)
            writing.save(book, writing.sequence)

    asyncio.get_running_loop().call_later(_LATER_S, rows)


SETTLED_TWICE = (Replaced(Book, "enter", _twice(EntryKind.SETTLEMENT)),)
COMPENSATED_TWICE = (Replaced(Book, "enter", _twice(EntryKind.COMPENSATION)),)
NOT_COMPENSATED = (Replaced(Book, "enter", _never(EntryKind.COMPENSATION)),)
CHECKPOINT_FIRST = (Replaced(LedgerProjection, "apply", _checkpoint_first),)
