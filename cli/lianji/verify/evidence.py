"""All that is compared, together."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts.identity import transaction_id
from contracts.response_codes import APPROVED
from lianji.scan.report import Report
from lianji.verify.books import Booked, Books
from lianji.verify.journals import Journals
from lianji.verify.ledgers import Ledgers
from terminal_sim.record import TerminalRecord, Transaction


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One transaction as its terminal saw it, as short as it can be kept."""

    id: str
    amount_minor: int
    response_code: str
    """Empty: no answer that could be trusted."""
    rrn: str
    reversed: bool
    """The host has confirmed that it has no effect."""
    waits: bool
    """Its reversal is kept at the terminal and has not been sent yet: not to be judged."""
    answers: int
    different_answers: int
    """1 when all of them are the same bytes."""

    @property
    def approved(self) -> bool:
        return self.response_code == APPROVED and not self.reversed


class Evidence(NamedTuple):
    """What the invariants look at."""

    journals: Journals
    ledgers: Ledgers
    books: Books
    booked: dict[str, Booked]
    seen: list[Seen]
    damage: list[tuple[str, str]]
    """Logs that cannot be trusted, and why."""
    scanned: Report | None
    """What the search for card data has found, anywhere; None: nobody has looked."""

    @property
    def empty(self) -> bool:
        """Nobody has recorded anything: no journal more than who owns it, no terminal a sale."""
        return not (self.journals.moves or self.seen or self.damage)

    def waiting(self) -> list[str]:
        return [s.id for s in self.seen if s.waits]


def seen_at(terminals: Iterable[TerminalRecord]) -> list[Seen]:
    """Every transaction of these terminals."""
    return [_seen(record, t) for record in terminals for t in record.transactions.values()]


def _seen(record: TerminalRecord, transaction: Transaction) -> Seen:
    pending = record.pending
    return Seen(
        id=sys.intern(transaction_id(record.tid, transaction.batch, transaction.stan)),
        amount_minor=transaction.amount_minor,
        response_code=sys.intern(transaction.response_code),
        rrn=transaction.rrn,
        reversed=transaction.reversed,
        waits=pending is not None and (pending.batch, pending.stan) == (transaction.batch, transaction.stan),
        answers=len(transaction.answer_digests),
        different_answers=len(set(transaction.answer_digests)),
    )
