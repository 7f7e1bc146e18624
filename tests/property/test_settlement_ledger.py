"""Any legal journal, delivered in any lists with any redelivery, gives the same, balanced books."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from contracts.authorization import Totals
from contracts.identity import format_rrn, transaction_id
from contracts.journal import (
    BatchClosed,
    BatchUnbalanced,
    EpochStarted,
    Intent,
    LateAnswer,
    Outcome,
    Record,
    Reversed,
    Reversing,
    SignedOff,
    SignedOn,
    Tombstone,
)
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.states import State
from runtime.projection import ProjectedGroup
from runtime.sql import open_engine
from runtime.tracing import Tracer
from settlement import schema
from settlement.projection import LedgerProjection
from settlement.store import Ledger

TERMINALS = {"10000001": "482290058130001", "10000002": "482290058130001", "10000003": "482290054110001"}
INSTITUTIONS = ("huaxing", "nanhai")
CARD = MaskedCard(first6="629101", last4="0018", length=16, digest="0" * 32)
OPERATIONS = (
    *("sale",) * 4,
    *("approve",) * 6,
    *("decline", "reverse", "reverse", "acknowledge", "acknowledge", "tombstone", "late", "close", "close"),
    "archived",
    *("unbalanced", "sign-on", "sign-off", "epoch"),
)


class Journal:
    """Writes legal journals: a small switch without the money, and what must come of it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.batches = dict.fromkeys(TERMINALS, 1)
        self.intents: dict[str, Intent] = {}
        self.states: dict[str, State] = {}
        self.awaiting: dict[str, list[str]] = {}
        self.kinds: dict[str, list[str]] = defaultdict(list)
        self.stans = 0

    def do(self, operation: str, pick: int, amount_minor: int) -> None:
        terminal = list(TERMINALS)[pick % len(TERMINALS)]
        {
            "sale": self._sale,
            "approve": self._approve,
            "decline": self._decline,
            "reverse": self._reverse,
            "acknowledge": self._acknowledge,
            "tombstone": self._tombstone,
            "archived": self._archived,
            "late": self._late,
            "close": self._close,
            "unbalanced": self._unbalanced,
            "sign-on": self._sign_on,
            "sign-off": self._sign_off,
            "epoch": self._epoch,
        }[operation](terminal, pick, amount_minor)

    def _identity(self, terminal: str) -> dict[str, str]:
        self.stans += 1
        batch, stan = f"{self.batches[terminal]:06d}", f"{self.stans:06d}"
        return {
            "id": transaction_id(terminal, batch, stan),
            "rrn": format_rrn(0, self.stans),
            "terminal": terminal,
            "merchant": TERMINALS[terminal],
            "batch": batch,
            "stan": stan,
        }

    def _place(self, terminal: str) -> dict[str, str]:
        return {"terminal": terminal, "merchant": TERMINALS[terminal], "batch": f"{self.batches[terminal]:06d}"}

    def _one(self, pick: int, *states: State) -> str | None:
        ids = [id for id, state in self.states.items() if state in states]
        return ids[pick % len(ids)] if ids else None

    def _sale(self, terminal: str, pick: int, amount_minor: int) -> None:
        intent = Intent(
            at_ms=self.stans,
            **self._identity(terminal),
            kind=Kind.SALE,
            operator="01",
            amount_minor=amount_minor,
            currency="156",
            institution=INSTITUTIONS[pick % 2],
            entry_mode="021",
            card=CARD,
            fingerprint="f",
        )
        self.records.append(intent)
        self.intents[intent.id] = intent
        self.states[intent.id] = State.INTENT

    def _outcome(self, pick: int, state: State, code: str) -> None:
        if (id := self._one(pick, State.INTENT)) is not None:
            self.records.append(Outcome(at_ms=self.stans, id=id, state=state, response_code=code))
            self.states[id] = state
            if state is State.APPROVED:
                self.kinds[id].append("capture")

    def _approve(self, _: str, pick: int, __: int) -> None:
        self._outcome(pick, State.APPROVED, "00")

    def _decline(self, _: str, pick: int, __: int) -> None:
        self._outcome(pick, State.DECLINED, "51")

    def _reverse(self, _: str, pick: int, __: int) -> None:
        id = self._one(pick, State.INTENT, State.APPROVED, State.SETTLED)
        if id is None:
            return
        before = self.states[id]
        after_close = before is State.SETTLED
        self.records.append(Reversing(at_ms=self.stans, id=id, reason="98", origin="terminal", after_close=after_close))
        self.states[id] = State.REVERSING
        self.awaiting[id] = [self.intents[id].institution]
        if before is not State.INTENT:
            self.kinds[id].append("compensation" if after_close else "reversal")

    def _acknowledge(self, _: str, pick: int, __: int) -> None:
        ids = [id for id, institutions in self.awaiting.items() if institutions]
        if ids:
            id = ids[pick % len(ids)]
            self.records.append(Reversed(at_ms=self.stans, id=id, institution=self.awaiting[id].pop()))
            if not self.awaiting[id] and self.states[id] is State.REVERSING:
                self.states[id] = State.REVERSED

    def _tombstone(self, terminal: str, _: int, amount_minor: int) -> None:
        tombstone = Tombstone(
            at_ms=self.stans,
            **self._identity(terminal),
            kind=Kind.SALE,
            amount_minor=amount_minor,
            currency="156",
            reason="98",
            institutions=INSTITUTIONS,
        )
        self.records.append(tombstone)
        self.states[tombstone.id] = State.REVERSING
        self.awaiting[tombstone.id] = list(INSTITUTIONS)

    def _archived(self, _: str, pick: int, __: int) -> None:
        """A reversal of what the switch has forgotten and the ledger has not."""
        id = self._one(pick, State.SETTLED, State.REVERSED, State.DECLINED)
        if id is None or id not in self.intents or self.awaiting.get(id):
            return
        i = self.intents[id]
        self.stans += 1
        self.records.append(
            Tombstone(
                at_ms=self.stans,
                id=id,
                rrn=format_rrn(0, self.stans),
                kind=i.kind,
                terminal=i.terminal,
                merchant=i.merchant,
                batch=i.batch,
                stan=i.stan,
                amount_minor=i.amount_minor,
                currency=i.currency,
                reason="98",
                institutions=INSTITUTIONS,
            )
        )
        self.awaiting[id] = list(INSTITUTIONS)
        if self.states[id] is State.SETTLED:
            self.states[id] = State.REVERSING
            self.kinds[id].append("compensation")

    def _late(self, _: str, pick: int, __: int) -> None:
        if (id := self._one(pick, State.REVERSING, State.REVERSED)) is not None:
            self.records.append(LateAnswer(at_ms=self.stans, id=id, response_code="00"))

    def _in_batch(self, terminal: str, state: State) -> list[Intent]:
        batch = f"{self.batches[terminal]:06d}"
        return [
            i
            for id, i in self.intents.items()
            if i.terminal == terminal and i.batch == batch and self.states[id] is state
        ]

    def _close(self, terminal: str, _: int, __: int) -> None:
        for intent in self._in_batch(terminal, State.INTENT):  # a close waits until each intent has its outcome
            self.records.append(Outcome(at_ms=self.stans, id=intent.id, state=State.DECLINED, response_code="68"))
            self.states[intent.id] = State.DECLINED
        standing = self._in_batch(terminal, State.APPROVED)
        totals = Totals(debit_minor=sum(i.amount_minor for i in standing), debit_count=len(standing))
        next_batch = f"{self.batches[terminal] + 1:06d}"
        self.stans += 1
        self.records.append(
            BatchClosed(
                at_ms=self.stans,
                **self._place(terminal),
                next_batch=next_batch,
                operator="01",
                stan=f"{self.stans:06d}",
                rrn=format_rrn(0, self.stans),
                currency="156",
                totals=totals,
            )
        )
        self.batches[terminal] += 1
        for intent in standing:
            self.states[intent.id] = State.SETTLED
            self.kinds[intent.id].append("settlement")

    def _unbalanced(self, terminal: str, _: int, __: int) -> None:
        standing = self._in_batch(terminal, State.APPROVED)
        host = Totals(debit_minor=sum(i.amount_minor for i in standing), debit_count=len(standing))
        self.stans += 1
        self.records.append(
            BatchUnbalanced(
                at_ms=self.stans,
                **self._place(terminal),
                operator="01",
                stan=f"{self.stans:06d}",
                rrn=format_rrn(0, self.stans),
                currency="156",
                host=host,
                terminal_totals=Totals(),
            )
        )

    def _sign_on(self, terminal: str, _: int, __: int) -> None:
        self.stans += 1
        self.records.append(
            SignedOn(
                at_ms=self.stans,
                **self._place(terminal),
                operator="01",
                stan=f"{self.stans:06d}",
                rrn=format_rrn(0, self.stans),
            )
        )

    def _sign_off(self, terminal: str, _: int, __: int) -> None:
        self.records.append(SignedOff(at_ms=self.stans, terminal=terminal, merchant=TERMINALS[terminal]))

    def _epoch(self, _: str, __: int, ___: int) -> None:
        self.records.append(EpochStarted(at_ms=self.stans, epoch=self.stans, owner="auth-1"))


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    journal = Journal()
    steps = st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 30), st.integers(1, 10_000_00))
    for operation, pick, amount_minor in draw(st.lists(steps, min_size=40, max_size=120)):
        journal.do(operation, pick, amount_minor)
    return journal


def cut(records: Sequence[Record], data: st.DataObject) -> list[ProjectedGroup]:
    """The records in groups of random size, numbered from 1."""
    groups: list[ProjectedGroup] = []
    rest = list(records)
    while rest:
        size = data.draw(st.integers(1, 12), label="records in the group")
        groups.append(ProjectedGroup(len(groups) + 1, tuple(rest[:size])))
        rest = rest[size:]
    return groups


def deliver(projection: LedgerProjection, groups: list[ProjectedGroup], data: st.DataObject) -> None:
    """Every group in order, in lists of random size, each list beginning with a random number of groups seen before."""
    done = 0
    while done < len(groups):
        again = data.draw(st.integers(0, done), label="groups again")
        more = data.draw(st.integers(1, 6), label="groups more")
        projection.apply("0", groups[done - again : done + more])
        done = min(len(groups), done + more)
        assert projection.checkpoint("0") == done
    projection.apply("0", groups)


def dump(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.begin() as connection:
        return {
            table.name: sorted(tuple(row) for row in connection.execute(select(table)))
            for table in schema.metadata.sorted_tables
        }


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a journal takes minutes and helps little
)
@given(journal=journals(), data=st.data())
def test_any_legal_journal_gives_balanced_books_once(journal: Journal, data: st.DataObject) -> None:
    groups = cut(journal.records, data)
    event(f"closes: {sum(isinstance(r, BatchClosed) for r in journal.records) > 0}")
    for kind in sorted({k for kinds in journal.kinds.values() for k in kinds}):
        event(f"entries of kind {kind}")
    with tempfile.TemporaryDirectory() as folder:
        live = open_engine(f"sqlite:///{Path(folder) / 'live.db'}", read_only=False)
        deliver(LedgerProjection(Ledger(live), Tracer("settlement", "test")), groups, data)
        check(live, journal)
        rebuilt = open_engine(f"sqlite:///{Path(folder) / 'rebuilt.db'}", read_only=False)
        LedgerProjection(Ledger(rebuilt), Tracer("settlement", "test")).apply("0", groups)
        assert dump(live) == dump(rebuilt)
        live.dispose()
        rebuilt.dispose()


def check(engine: Engine, journal: Journal) -> None:
    e, p, t = schema.entries.c, schema.postings.c, schema.transactions.c
    with engine.begin() as connection:
        entries = connection.execute(select(e.id, e.transaction_id, e.entry_kind)).all()
        postings = connection.execute(select(p.entry, p.account, p.currency, p.amount_minor)).all()
        states = {row.id: row.state for row in connection.execute(select(t.id, t.state))}
        closed = connection.scalar(select(func.count()).select_from(schema.batches).where(schema.batches.c.closed))
    # I1: per entry and currency, and so in all.
    sums: Counter[tuple[int, str]] = Counter()
    for entry, _, currency, amount_minor in postings:
        sums[entry, currency] += amount_minor
    assert set(sums) == {(row.id, "156") for row in entries}
    assert not any(sums.values())
    # At most one entry per transaction and kind, and exactly those that the journal asks for.
    assert max(Counter((row.transaction_id, row.entry_kind) for row in entries).values(), default=1) == 1
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in entries:
        kinds[row.transaction_id].add(row.entry_kind)
    assert kinds == {id: set(expected) for id, expected in journal.kinds.items()}
    assert states == {id: state.value for id, state in journal.states.items()}
    assert closed == sum(isinstance(r, BatchClosed) for r in journal.records)
    # The net of each transaction on each account.
    owner = {row.id: row.transaction_id for row in entries}
    net: Counter[tuple[str, str]] = Counter()
    for entry, account, _, amount_minor in postings:
        net[owner[entry], account.rpartition(":")[2]] += amount_minor
    for id, state in journal.states.items():
        amount = journal.intents[id].amount_minor if id in journal.intents else 0
        expected = {
            State.APPROVED: (amount, -amount, 0),
            State.SETTLED: (amount, 0, -amount),
        }.get(state, (0, 0, 0))
        assert (net[id, "receivable"], net[id, "captured"], net[id, "payable"]) == expected
