"""Questions to the ledger, over an engine that only reads."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Engine, func, select

from contracts.questions import DaySummary, DaySummaryLine
from contracts.states import State
from settlement import schema
from settlement.domain.ledger import Batch, EntryKind, merchant_captured, merchant_payable
from settlement.rows import batch_of

_KEPT = (State.APPROVED.value, State.SETTLED.value)


class LedgerReader:
    """Each method is one read; call it off the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def checkpoints(self) -> dict[str, int]:
        c = schema.checkpoints.c
        with self._engine.begin() as connection:
            return {row.partition: row.sequence for row in connection.execute(select(c.partition, c.sequence))}

    def batch(self, terminal: str, batch: str) -> Batch | None:
        """A terminal's batch; the last one closed when `batch` is empty."""
        b = schema.batches.c
        query = select(schema.batches).where(b.terminal == terminal)
        if batch:
            query = query.where(b.batch == batch)
        else:
            query = query.where(b.closed).order_by(b.at_ms.desc(), b.batch.desc()).limit(1)
        with self._engine.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else batch_of(row)

    def day(self, merchant: str, merchant_name: str, day: str, bounds_ms: tuple[int, int], currency: str) -> DaySummary:
        """What was approved at a merchant within `bounds_ms` (first, and first of the next day) and where it stands now."""
        captured, payable = self._balances(merchant, bounds_ms, currency)
        return DaySummary(
            merchant=merchant,
            merchant_name=merchant_name,
            day=day,
            currency=currency,
            lines=self._lines(merchant, bounds_ms, currency),
            captured_minor=captured,
            payable_minor=payable,
        )

    def _lines(self, merchant: str, bounds_ms: tuple[int, int], currency: str) -> tuple[DaySummaryLine, ...]:
        t, e, b = schema.transactions.c, schema.entries.c, schema.batches.c
        query = (
            select(t.terminal, t.batch, t.state, b.closed, func.count(), func.sum(t.amount_minor))
            .join_from(
                schema.transactions,
                schema.entries,
                (e.transaction_id == t.id) & (e.entry_kind == EntryKind.CAPTURE.value),
            )
            .outerjoin(schema.batches, (b.terminal == t.terminal) & (b.batch == t.batch))
            .where(t.merchant == merchant, t.at_ms >= bounds_ms[0], t.at_ms < bounds_ms[1], t.currency == currency)
            .group_by(t.terminal, t.batch, t.state, b.closed)
        )
        closed: dict[tuple[str, str], bool] = {}
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        with self._engine.begin() as connection:
            for terminal, batch, state, is_closed, count, amount_minor in connection.execute(query):
                closed[terminal, batch] = bool(is_closed)
                line = sums[terminal, batch]
                place = 0 if state in _KEPT else 2
                line[place] += count
                line[place + 1] += int(amount_minor)  # PostgreSQL sums to Decimal
        return tuple(
            DaySummaryLine(
                terminal=key[0],
                batch=key[1],
                closed=closed[key],
                sales_count=line[0],
                sales_minor=line[1],
                reversed_count=line[2],
                reversed_minor=line[3],
            )
            for key, line in sorted(sums.items())
        )

    def _balances(self, merchant: str, bounds_ms: tuple[int, int], currency: str) -> tuple[int, int]:
        """What the day's transactions have left on the merchant's captured and payable accounts, as the merchant sees it: credits positive."""
        t, e, p = schema.transactions.c, schema.entries.c, schema.postings.c
        names = (merchant_captured(merchant), merchant_payable(merchant))
        query = (
            select(p.account, func.sum(p.amount_minor))
            .join_from(schema.transactions, schema.entries, e.transaction_id == t.id)
            .join(schema.postings, p.entry == e.id)
            .where(
                t.merchant == merchant,
                t.at_ms >= bounds_ms[0],
                t.at_ms < bounds_ms[1],
                p.currency == currency,
                p.account.in_(names),
            )
            .group_by(p.account)
        )
        with self._engine.begin() as connection:
            sums = {account: -int(amount_minor) for account, amount_minor in connection.execute(query)}
        return sums.get(names[0], 0), sums.get(names[1], 0)
