"""What the terminals saw, each transaction and each closed batch, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.identity import transaction_id
from contracts.response_codes import APPROVED, PARTIAL_APPROVAL
from lianji.verify.facts import Facts
from terminal_sim.record import TerminalRecord

SAW_APPROVAL = f"s.response_code IN ('{APPROVED}', '{PARTIAL_APPROVAL}') AND NOT s.reversed"
"""SQL: the terminal was told that it is approved, and has not reversed it since."""


def read(facts: Facts, terminals: Iterable[TerminalRecord]) -> Iterator[int]:
    """Fills the tables `seen` and `terminal_batches`, one terminal in memory at a time; counts as it goes.

    `waits`: its reversal, or the notice itself, is kept at the terminal and has not been answered yet, so it is not to be judged.
    `reversed`: the host has confirmed that it has no effect.
    """
    facts.table(
        "seen",
        *("id", "amount_minor", "response_code", "rrn", "authorization_code"),
        *("reversed", "waits", "answers", "different_answers"),
    )
    facts.table(
        "terminal_batches",
        *("terminal", "batch", "rrn", "debit_minor", "debit_count", "credit_minor", "credit_count"),
    )
    for record in terminals:
        yield from facts.writing("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _seen(record))
        yield from facts.writing("INSERT INTO terminal_batches VALUES (?, ?, ?, ?, ?, ?, ?)", _closed(record))
    facts.index("seen_of", "seen", "id")


def _seen(record: TerminalRecord) -> Iterator[tuple[str | int, ...]]:
    pending = record.pending
    for t in record.transactions.values():
        waits = pending is not None and (pending.batch, pending.stan) == (t.batch, t.stan)
        waits = waits or record.is_stored(t)
        answers = t.answer_digests
        yield (
            *(transaction_id(record.tid, t.batch, t.stan), t.worth_minor, t.response_code, t.rrn),
            *(t.authorization_code, t.reversed, waits, len(answers), len(set(answers))),
        )


def _closed(record: TerminalRecord) -> Iterator[tuple[str | int, ...]]:
    for closed in record.closed:
        totals = closed.totals
        counted = totals.debit_minor, totals.debit_count, totals.credit_minor, totals.credit_count
        yield record.tid, closed.batch, closed.rrn, *counted
