"""Settlement's database, opened for reading only."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import msgspec
from sqlalchemy import Engine, text

KINDS = ("capture", "reversal", "settlement", "compensation")
"""What an entry can be, in the order of Booked.counts."""


class Booked(msgspec.Struct, gc=False):
    """A transaction's entries: how many of each kind, and what they moved."""

    capture: int = 0
    reversal: int = 0
    settlement: int = 0
    compensation: int = 0
    others: int = 0
    """Entries of a kind that nobody knows."""
    moved_minor: int = 0
    """What all of them moved, added up: as many times the transaction's amount as there are entries."""
    largest_minor: int = 0

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return self.capture, self.reversal, self.settlement, self.compensation

    def add(self, kind: str, amount_minor: int) -> None:
        name = kind if kind in KINDS else "others"
        setattr(self, name, getattr(self, name) + 1)
        self.moved_minor += amount_minor
        self.largest_minor = max(self.largest_minor, amount_minor)

    def is_due(self, due: tuple[int, int, int, int], amount_minor: int) -> bool:
        """These entries and no others, each of this amount."""
        return (
            self.counts == due
            and not self.others
            and self.moved_minor == sum(due) * amount_minor
            and self.largest_minor in (0, amount_minor)
        )

    def text(self) -> str:
        return " ".join(f"{kind}×{count}" for kind, count in zip(KINDS, self.counts, strict=True))


_ENTRY = "e.transaction_id || ' ' || e.entry_kind"
_NOT_TWO = text(
    f"SELECT {_ENTRY}, COUNT(p.account) FROM entries e LEFT JOIN postings p ON p.entry = e.id "  # noqa: S608 - a constant
    "GROUP BY e.id, e.transaction_id, e.entry_kind HAVING COUNT(p.account) <> 2"
)
_ENTRIES_UNBALANCED = text(
    f"SELECT {_ENTRY}, p.currency, SUM(p.amount_minor) FROM entries e JOIN postings p ON p.entry = e.id "  # noqa: S608 - a constant
    "GROUP BY e.id, e.transaction_id, e.entry_kind, p.currency HAVING SUM(p.amount_minor) <> 0"
)
_WHOLE_UNBALANCED = text(
    "SELECT currency, SUM(amount_minor) FROM postings GROUP BY currency HAVING SUM(amount_minor) <> 0"
)
_BOOKED = text(
    "SELECT e.transaction_id, e.entry_kind, SUM(CASE WHEN p.amount_minor > 0 THEN p.amount_minor ELSE 0 END) "
    "FROM entries e LEFT JOIN postings p ON p.entry = e.id GROUP BY e.id, e.transaction_id, e.entry_kind"
)


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

    def booked(self) -> dict[str, Booked]:
        """Transaction → its entries."""
        found: dict[str, Booked] = {}
        with self._engine.begin() as connection:
            for id_, kind, amount in connection.execution_options(yield_per=10_000).execute(_BOOKED):
                row = found.get(id_)
                if row is None:
                    row = found[sys.intern(id_)] = Booked()
                row.add(kind, int(amount))
        return found
