"""Settlement's database, opened for reading only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, text

from lianji.verify.facts import Facts
from lianji.verify.paths import POSTS

KINDS = ("capture", "reversal", "settlement", "compensation")
"""What an entry can be. A transaction has at most one of each."""
DUE = {
    "capture": f"(t.approved AND {POSTS})",
    "reversal": f"(t.undone AND NOT t.settled AND {POSTS})",
    "settlement": "t.settled",
    "compensation": "(t.undone AND t.settled)",
}
"""SQL: how many entries of each kind a path must have. What moves neither merchant's nor bank's money has none."""
_PAYABLE = "merchant:%:payable"
"""SQL pattern: the accounts that say what a merchant is owed."""

AS_DUE = " AND ".join(
    (
        *(f"COALESCE(k.{kind}, 0) = {due}" for kind, due in DUE.items()),
        "COALESCE(k.others, 0) = 0",
        f"COALESCE(k.moved_minor, 0) = ({' + '.join(DUE.values())}) * t.amount_minor",
        "COALESCE(k.largest_minor, 0) IN (0, t.amount_minor)",
        f"COALESCE(k.payable_minor, 0) = (({DUE['settlement']}) - {DUE['compensation']}) * t.amount_minor * t.charge",
    )
)
"""SQL: the entries of `booked k` are those that the path `transactions t` must have, each of its amount, and no others;
the merchant is owed by a sale, and owes by a refund."""

_ADD = (
    f"INSERT INTO booked VALUES (?, {', '.join('?' * len(KINDS))}, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in (*KINDS, "others", "moved_minor", "payable_minor"))
    + ", largest_minor = MAX(largest_minor, excluded.largest_minor)"
)

# By their number, which says all the rest: in its order entries and postings stand side by side. SQLite would go by the transaction else.
_ENTRY = "e.transaction_id || ' ' || e.entry_kind"
_NOT_TWO = text(
    f"SELECT {_ENTRY}, COUNT(p.account) FROM entries e LEFT JOIN postings p ON p.entry = e.id "
    "GROUP BY e.id HAVING COUNT(p.account) <> 2"
)
_ENTRIES_UNBALANCED = text(
    f"SELECT {_ENTRY}, p.currency, SUM(p.amount_minor) FROM entries e JOIN postings p ON p.entry = e.id "
    "GROUP BY e.id, p.currency HAVING SUM(p.amount_minor) <> 0"
)
_WHOLE_UNBALANCED = text(
    "SELECT currency, SUM(amount_minor) FROM postings GROUP BY currency HAVING SUM(amount_minor) <> 0"
)
_ENTRIES = text(
    "SELECT e.transaction_id, e.entry_kind, SUM(CASE WHEN p.amount_minor > 0 THEN p.amount_minor ELSE 0 END), "
    "SUM(CASE WHEN p.account LIKE :payable THEN -p.amount_minor ELSE 0 END) "
    "FROM entries e LEFT JOIN postings p ON p.entry = e.id GROUP BY e.id"
).bindparams(payable=_PAYABLE)
_BATCH_COLUMNS = ("terminal", "batch", "closed", "debit_minor", "debit_count", "credit_minor", "credit_count")
_BATCHES = text(f"SELECT {', '.join(_BATCH_COLUMNS)} FROM batches")

_ADD_BATCH = f"INSERT INTO settlement_batches VALUES ({', '.join('?' * len(_BATCH_COLUMNS))})"

AT_ONCE = 5_000
"""Rows that are taken from the database in one go."""


class Books:
    """Queries; the tables are described in services/settlement/README.md."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def checkpoints(self) -> dict[str, int]:
        """Shard → sequence of the last group in here."""
        with self._engine.begin() as connection:
            return {str(p): int(s) for p, s in connection.execute(text("SELECT partition, sequence FROM checkpoints"))}

    def count_entries(self) -> int:
        with self._engine.begin() as connection:
            return int(connection.execute(text("SELECT COUNT(*) FROM entries")).scalar_one())

    def unbalanced(self) -> Iterator[tuple[str, str]]:
        """Entries that have not two postings or do not sum to zero, and the whole, per currency: what, and what is wrong with it."""
        with self._engine.begin() as connection:
            for entry, count in connection.execute(_NOT_TWO):
                yield str(entry), f"has {count} postings, not 2"
            for entry, currency, total in connection.execute(_ENTRIES_UNBALANCED):
                yield str(entry), f"sums to {int(total)} of currency {currency}"
            for currency, total in connection.execute(_WHOLE_UNBALANCED):
                yield "the whole ledger", f"sums to {int(total)} of currency {currency}"

    def read(self, facts: Facts) -> Iterator[int]:
        """Fills the tables `booked`, a row for each transaction, and `settlement_batches`; counts as it goes. Raises SQLAlchemyError."""
        facts.table("booked", "id", *KINDS, "others", "moved_minor", "payable_minor", "largest_minor", key="id")
        facts.table("settlement_batches", *_BATCH_COLUMNS, key="terminal, batch")
        with self._engine.begin() as connection:
            entries = connection.execution_options(yield_per=AT_ONCE).execute(_ENTRIES)
            yield from facts.writing(_ADD, (_entry(*row) for row in entries))
            batches = connection.execution_options(yield_per=AT_ONCE).execute(_BATCHES)
            yield from facts.writing(_ADD_BATCH, map(tuple, batches))


def _entry(id_: str, kind: str, moved_minor: int, payable_minor: int) -> tuple[str | int, ...]:
    """A row of `booked` as one entry makes it. PostgreSQL gives sums as decimals."""
    moved, payable = int(moved_minor), int(payable_minor)
    return str(id_), *(int(kind == known) for known in KINDS), int(kind not in KINDS), moved, payable, moved
