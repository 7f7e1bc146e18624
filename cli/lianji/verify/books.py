"""Settlement's database, opened for reading only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Engine, text

from runtime.sql import open_engine

CAPTURE, REVERSAL, SETTLEMENT, COMPENSATION = "capture", "reversal", "settlement", "compensation"


class Booked(msgspec.Struct, gc=False):
    """A transaction's entries: how many of each kind, and what they moved."""

    capture: int = 0
    reversal: int = 0
    settlement: int = 0
    compensation: int = 0
    captured_minor: int = 0
    settled_minor: int = 0

    def text(self) -> str:
        return " ".join(f"{kind}×{getattr(self, kind)}" for kind in (CAPTURE, REVERSAL, SETTLEMENT, COMPENSATION))


class Books:
    """Queries; the tables are described in services/settlement/README.md."""

    def __init__(self, path: Path) -> None:
        self._engine: Engine = open_engine(f"sqlite:///{path}", read_only=True)

    def checkpoints(self) -> dict[str, int]:
        """Shard → sequence of the last group in here."""
        with self._engine.begin() as connection:
            return {str(p): int(s) for p, s in connection.execute(text("SELECT partition, sequence FROM checkpoints"))}

    def count_entries(self) -> int:
        with self._engine.begin() as connection:
            return int(connection.execute(text("SELECT COUNT(*) FROM entries")).scalar_one())

    def unbalanced(self) -> Iterator[tuple[str, str, int]]:
        """Entries whose postings do not sum to zero: transaction and kind, currency, sum. And the whole, per currency."""
        with self._engine.begin() as connection:
            for entry, currency, total in connection.execute(
                text(
                    "SELECT e.transaction_id || ' ' || e.entry_kind, p.currency, SUM(p.amount_minor) FROM entries e "
                    "LEFT JOIN postings p ON p.entry = e.id GROUP BY e.id, p.currency "
                    "HAVING COALESCE(SUM(p.amount_minor), 1) <> 0"
                )
            ):
                yield str(entry), str(currency or "none"), int(total or 0)
            for currency, total in connection.execute(
                text("SELECT currency, SUM(amount_minor) FROM postings GROUP BY currency HAVING SUM(amount_minor) <> 0")
            ):
                yield "the whole ledger", str(currency), int(total)

    def booked(self) -> dict[str, Booked]:
        """Transaction → its entries."""
        found: dict[str, Booked] = {}
        with self._engine.begin() as connection:
            rows = connection.execution_options(yield_per=10_000).execute(
                text(
                    "SELECT e.transaction_id, e.entry_kind, SUM(CASE WHEN p.amount_minor > 0 THEN p.amount_minor ELSE 0 END) "
                    "FROM entries e LEFT JOIN postings p ON p.entry = e.id GROUP BY e.id, e.transaction_id, e.entry_kind"
                )
            )
            for id_, kind, amount in rows:
                row = found.get(id_)
                if row is None:
                    row = found[id_] = Booked()
                setattr(row, kind, getattr(row, kind) + 1)
                if kind == CAPTURE:
                    row.captured_minor += int(amount or 0)
                elif kind == SETTLEMENT:
                    row.settled_minor += int(amount or 0)
        return found

    def close(self) -> None:
        self._engine.dispose()
