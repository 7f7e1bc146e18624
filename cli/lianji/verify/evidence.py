"""All that is compared, together."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from contracts.identity import transaction_id
from lianji.verify.books import Booked, Books
from lianji.verify.journals import Journals
from lianji.verify.ledgers import Ledgers
from terminal_sim.memory import read_memory
from terminal_sim.record import TerminalRecord, Transaction


class Seen(NamedTuple):
    """One transaction as its terminal saw it."""

    id: str
    transaction: Transaction
    waits: bool
    """Its reversal is kept at the terminal and has not been sent yet: not to be judged."""


class Evidence(NamedTuple):
    """What the invariants look at."""

    journals: Journals
    ledgers: Ledgers
    books: Books
    booked: dict[str, Booked]
    seen: list[Seen]
    damage: list[tuple[str, str]]
    """Logs that cannot be trusted, and why."""

    def waiting(self) -> list[str]:
        return [s.id for s in self.seen if s.waits]


def read_terminals(data_dir: Path) -> list[Seen]:
    """Every transaction of every terminal that has a memory under `data_dir`."""
    seen = []
    for path in sorted((data_dir / "terminals").glob("*.jsonl")):
        record = read_memory(path)
        seen += [_seen(record, t) for t in record.transactions.values()]
    return seen


def _seen(record: TerminalRecord, transaction: Transaction) -> Seen:
    pending = record.pending
    waits = pending is not None and (pending.batch, pending.stan) == (transaction.batch, transaction.stan)
    return Seen(transaction_id(record.tid, transaction.batch, transaction.stan), transaction, waits)
