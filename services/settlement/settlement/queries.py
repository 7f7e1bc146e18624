"""Questions to the ledger, over an engine that only reads."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.questions import (
    Breaks,
    BreaksQuestion,
    DaySummary,
    DaySummaryLine,
    FoundTransaction,
    NoTransaction,
    TransactionQuestion,
)
from contracts.states import State
from settlement import schema
from settlement.domain.ledger import Batch, EntryKind, merchant_captured, merchant_payable
from settlement.rows import batch_of, break_of, transaction_of

_KEPT = (State.APPROVED.value, State.SETTLED.value)
_CLAIMING = (State.INTENT.value, *_KEPT, State.REVERSING.value)
"""A claim in one of these states may have had an effect (contracts.kinds.CLAIMS)."""
_SETTLING = tuple(kind.value for kind, facts in KINDS.items() if facts.settles)


class _Line:
    """A batch of a day, while it is summed: count and minor units of each."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed
        self.debits = [0, 0]
        self.credits = [0, 0]
        self.reversed = [0, 0]

    def add(self, kind: Kind, *, kept: bool, count: int, amount_minor: int) -> None:
        debit = KINDS[kind].debit
        sums = (self.debits if debit else self.credits) if kept else self.reversed
        sums[0] += count
        sums[1] += amount_minor if debit or kept else -amount_minor


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

    def breaks(self, question: BreaksQuestion) -> Breaks:
        """What host and terminals differ about, the newest first; `question` says of whom."""
        b = schema.breaks.c
        asked = ((b.merchant, question.merchant), (b.terminal, question.terminal), (b.batch, question.batch))
        wanted = [column == value for column, value in asked if value]
        query = select(schema.breaks).where(*wanted).order_by(b.at_ms.desc(), b.terminal, b.batch, b.stan)
        with self._engine.begin() as connection:
            count = connection.scalar(select(func.count()).select_from(schema.breaks).where(*wanted)) or 0
            lines = tuple(break_of(row) for row in connection.execute(query.limit(question.limit)))
        return Breaks(lines=lines, count=count)

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
            select(t.terminal, t.batch, t.kind, t.state, b.closed, func.count(), func.sum(t.amount_minor))
            .join_from(
                schema.transactions,
                schema.entries,
                (e.transaction_id == t.id) & (e.entry_kind == EntryKind.CAPTURE.value),
            )
            .outerjoin(schema.batches, (b.terminal == t.terminal) & (b.batch == t.batch))
            .where(t.merchant == merchant, t.at_ms >= bounds_ms[0], t.at_ms < bounds_ms[1], t.currency == currency)
            .where(t.kind.in_(_SETTLING))
            .group_by(t.terminal, t.batch, t.kind, t.state, b.closed)
        )
        lines: dict[tuple[str, str], _Line] = {}
        with self._engine.begin() as connection:
            for terminal, batch, kind, state, closed, count, amount_minor in connection.execute(query):
                line = lines.setdefault((terminal, batch), _Line(bool(closed)))
                # PostgreSQL sums to Decimal
                line.add(Kind(kind), kept=state in _KEPT, count=count, amount_minor=int(amount_minor))
        return tuple(
            DaySummaryLine(
                terminal=terminal,
                batch=batch,
                closed=line.closed,
                sales_count=line.debits[0],
                sales_minor=line.debits[1],
                credits_count=line.credits[0],
                credits_minor=line.credits[1],
                reversed_count=line.reversed[0],
                reversed_minor=line.reversed[1],
            )
            for (terminal, batch), line in sorted(lines.items())
        )

    def transaction(self, question: TransactionQuestion) -> tuple[FoundTransaction | NoTransaction, int]:
        """The first of the question's ids that stands and is what the question says; and the sequence up to which the shard's journal
        was in the ledger when that was read.
        """
        t, c = schema.transactions.c, schema.checkpoints.c
        wanted: list[ColumnElement[bool]] = [t.id.in_(question.ids), t.shard == str(question.shard), t.state.in_(_KEPT)]
        if question.rrn:
            wanted.append(t.rrn == question.rrn)
        if question.authorization_code:
            wanted.append(t.authorization_code == question.authorization_code)
        with self._engine.begin() as connection:
            checkpoint = connection.scalar(select(c.sequence).where(c.partition == str(question.shard))) or 0
            rows = {row.id: row for row in connection.execute(select(schema.transactions).where(*wanted))}
            row = next((rows[id_] for id_ in question.ids if id_ in rows), None)
            if row is None:
                return NoTransaction(), checkpoint
            taken_minor, spent = _claims(connection, row.id)
        found = transaction_of(row)
        return (
            FoundTransaction(
                id=found.id,
                rrn=found.rrn,
                kind=found.kind,
                terminal=found.terminal,
                merchant=found.merchant,
                batch=found.batch,
                stan=found.stan,
                amount_minor=found.amount_minor,
                currency=found.currency,
                institution=found.institution,
                authorization_code=found.authorization_code,
                state=found.state,
                decided_ms=found.at_ms,
                taken_minor=taken_minor,
                spent=spent,
                original=found.original,
                asked_minor=found.asked_minor,
            ),
            checkpoint,
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


def _claims(connection: Connection, original: str) -> tuple[int, bool]:
    """What the claims that stand on a transaction come to in minor units, and whether one of them stands alone."""
    t = schema.transactions.c
    query = (
        select(t.kind, func.sum(t.amount_minor))
        .where(t.original == original, schema.CLAIMING, t.state.in_(_CLAIMING))
        .group_by(t.kind)
    )
    taken = {Kind(kind): int(amount_minor) for kind, amount_minor in connection.execute(query)}
    return sum(taken.values()), any(CLAIMS[kind].exclusive for kind in taken)
