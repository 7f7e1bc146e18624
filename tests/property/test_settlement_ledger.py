"""Any legal journal, delivered in any lists with any redelivery, gives the same, balanced books."""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

import settlement
from contracts.authorization import Totals
from contracts.identity import format_rrn, transaction_id
from contracts.journal import (
    BatchClosed,
    BatchUnbalanced,
    EpochStarted,
    Intent,
    LateAnswer,
    Outcome,
    Recalled,
    Record,
    Reversed,
    Reversing,
    SignedOff,
    SignedOn,
    Tombstone,
)
from contracts.kinds import CLAIMS, KINDS, Kind, most_of
from contracts.pan import MaskedCard
from contracts.questions import FoundTransaction, NoTransaction, TransactionQuestion
from contracts.states import State
from runtime.projection import ProjectedGroup
from runtime.sql import open_engine
from runtime.tracing import Tracer
from settlement import schema
from settlement.projection import LedgerProjection
from settlement.queries import LedgerReader
from settlement.store import Ledger

TERMINALS = {"10000001": "482290058130001", "10000002": "482290058130001", "10000003": "482290054110001"}
README = Path(settlement.__file__).parents[1] / "README.md"
PUBLISHED = [
    query
    for block in re.findall(r"^    SELECT .*?;\n\n", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for query in block.split(";\n")
    if query.strip()
]
"""The checks that anybody may run; each must give no row."""
INSTITUTIONS = ("huaxing", "nanhai")
CARD = MaskedCard(first6="629101", last4="0018", length=16, digest="0" * 32)
TAKES = {Kind.SALE, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.INSTALMENT, Kind.OFFLINE_SALE}
RETURNS = {Kind.VOID, Kind.REFUND, Kind.COMPLETION_VOID, Kind.INSTALMENT_VOID}
BEGUN = (*(Kind.SALE,) * 4, *(Kind.PRE_AUTH,) * 2, *Kind, *CLAIMS, *CLAIMS)
"""Claims come to nothing where there is no original for them."""
CLAIMING = (State.INTENT, State.APPROVED, State.SETTLED, State.REVERSING)
OPERATIONS = (
    *("begin",) * 6,
    *("approve",) * 7,
    *("decline", "reverse", "reverse", "acknowledge", "acknowledge", "tombstone", "late", "close", "close"),
    *("archived", "recalled"),
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
        self.kind = Kind.SALE
        """Of the next transaction that begins."""
        self.amounts: dict[str, int] = {}
        """What each comes to: as asked, or the part that was approved."""
        self.claims: dict[str, list[str]] = defaultdict(list)
        """Original → claims, whatever has come of them."""

    def do(self, operation: str, pick: int, amount_minor: int) -> None:
        terminal = list(TERMINALS)[pick % len(TERMINALS)]
        {
            "begin": self._begin,
            "approve": self._approve,
            "decline": self._decline,
            "reverse": self._reverse,
            "acknowledge": self._acknowledge,
            "tombstone": self._tombstone,
            "archived": self._archived,
            "recalled": self._recalled,
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

    def standing_claims(self, id: str) -> list[str]:
        return [claim for claim in self.claims[id] if self.states[claim] in CLAIMING]

    def taken(self, id: str) -> int:
        return sum(self.amounts[claim] for claim in self.standing_claims(id))

    def _original(self, kind: Kind, terminal: str, pick: int, amount_minor: int) -> tuple[str, int] | None:
        """An original that `kind` may claim, and by how much; None when there is none."""
        claim = CLAIMS[kind]
        free = []
        for id, intent in self.intents.items():
            own = intent.terminal == terminal and intent.batch == f"{self.batches[terminal]:06d}"
            may = intent.merchant == TERMINALS[terminal] and (own or not claim.same_batch)
            stands = self.states[id] in (State.APPROVED, State.SETTLED)
            spent = [c for c in self.standing_claims(id) if claim.exclusive or CLAIMS[self.intents[c].kind].exclusive]
            if intent.kind in claim.originals and may and stands and not spent:
                free.append(id)
        if not free:
            return None
        id = free[pick % len(free)]
        whole = self.amounts[id]
        most = most_of(whole, claim.most_percent) - self.taken(id)
        return (id, whole if claim.whole else 1 + amount_minor % most) if most > 0 else None

    def _begin(self, terminal: str, pick: int, amount_minor: int) -> None:
        kind, original = self.kind, ""
        if kind in CLAIMS:
            found = self._original(kind, terminal, pick, amount_minor)
            if found is None:
                return
            original, amount_minor = found
        if not KINDS[kind].slip:
            amount_minor = 0
        intent = Intent(
            at_ms=self.stans,
            **self._identity(terminal),
            kind=kind,
            original=original,
            target_institution=INSTITUTIONS[pick // 2 % 2] if kind is Kind.TRANSFER else "",
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
        self.amounts[intent.id] = amount_minor
        if original:
            self.claims[original].append(intent.id)

    def _outcome(self, pick: int, state: State, code: str) -> None:
        if (id := self._one(pick, State.INTENT)) is not None:
            part = 0
            if state is State.APPROVED and self.intents[id].kind is Kind.SALE and pick % 3 == 0:
                part = self.amounts[id] // 2
            self.amounts[id] = part or self.amounts[id]
            self.records.append(
                Outcome(at_ms=self.stans, id=id, state=state, response_code="10" if part else code, part_minor=part)
            )
            self.states[id] = state
            if state is State.APPROVED:
                self._books(id, "capture")

    def _books(self, id: str, entry: str) -> None:
        """An entry, if the kind has any."""
        i = self.intents[id]
        moves = i.kind is Kind.TRANSFER and i.institution != i.target_institution
        if moves or i.kind in TAKES | RETURNS:
            self.kinds[id].append(entry)

    def _approve(self, _: str, pick: int, __: int) -> None:
        self._outcome(pick, State.APPROVED, "00")

    def _decline(self, _: str, pick: int, __: int) -> None:
        self._outcome(pick, State.DECLINED, "51")

    def _reverse(self, _: str, pick: int, __: int) -> None:
        id = self._one(pick, State.INTENT, State.APPROVED, State.SETTLED)
        if id is None or self.standing_claims(id):
            return
        before = self.states[id]
        if before is not State.INTENT and not KINDS[self.intents[id].kind].reversible:
            return
        after_close = before is State.SETTLED
        self.records.append(Reversing(at_ms=self.stans, id=id, reason="98", origin="terminal", after_close=after_close))
        self.states[id] = State.REVERSING
        i = self.intents[id]
        self.awaiting[id] = sorted({i.institution, i.target_institution} - {""})
        if before is not State.INTENT:
            self._books(id, "compensation" if after_close else "reversal")

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
        id = self._one(pick, State.APPROVED, State.SETTLED, State.REVERSED, State.DECLINED)
        if id is None or id not in self.intents or self.awaiting.get(id):
            return
        i = self.intents[id]
        if self.states[id] is State.APPROVED and int(i.batch) == self.batches[i.terminal]:
            return  # the switch forgets nothing of an open batch
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
        before = self.states[id]
        if before in (State.APPROVED, State.SETTLED):
            self.states[id] = State.REVERSING
            self._books(id, "compensation" if before is State.SETTLED else "reversal")

    def _recalled(self, _: str, pick: int, __: int) -> None:
        """What the switch had forgotten, and has asked this ledger for."""
        if (id := self._one(pick, State.SETTLED)) is not None:
            i = self.intents[id]
            self.records.append(
                Recalled(
                    at_ms=self.stans,
                    id=id,
                    rrn=i.rrn,
                    kind=i.kind,
                    terminal=i.terminal,
                    merchant=i.merchant,
                    batch=i.batch,
                    stan=i.stan,
                    amount_minor=self.amounts[id],
                    currency=i.currency,
                    institution=i.institution,
                    authorization_code="",
                    state=State.SETTLED,
                    decided_ms=i.at_ms,
                )
            )

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

    def _settling(self, terminal: str) -> tuple[list[str], Totals]:
        standing = [i for i in self._in_batch(terminal, State.APPROVED) if i.kind in TAKES | RETURNS]
        debits = [self.amounts[i.id] for i in standing if i.kind in TAKES]
        credits = [self.amounts[i.id] for i in standing if i.kind in RETURNS]
        totals = Totals(
            debit_minor=sum(debits), debit_count=len(debits), credit_minor=sum(credits), credit_count=len(credits)
        )
        return [i.id for i in standing], totals

    def _close(self, terminal: str, _: int, __: int) -> None:
        for intent in self._in_batch(terminal, State.INTENT):  # a close waits until each intent has its outcome
            self.records.append(Outcome(at_ms=self.stans, id=intent.id, state=State.DECLINED, response_code="68"))
            self.states[intent.id] = State.DECLINED
        standing, totals = self._settling(terminal)
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
        for id in standing:
            self.states[id] = State.SETTLED
            self.kinds[id].append("settlement")

    def _unbalanced(self, terminal: str, _: int, __: int) -> None:
        _, host = self._settling(terminal)
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
    steps = st.tuples(
        st.sampled_from(OPERATIONS), st.integers(0, 30), st.integers(1, 10_000_00), st.sampled_from(BEGUN)
    )
    for operation, pick, amount_minor, kind in draw(st.lists(steps, min_size=60, max_size=120)):
        journal.kind = kind
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
    for id, state in journal.states.items():
        if state in (State.APPROVED, State.SETTLED):
            event(f"{state.value}: {journal.intents[id].kind.value}")
    with tempfile.TemporaryDirectory() as folder:
        live = open_engine(f"sqlite:///{Path(folder) / 'live.db'}", read_only=False)
        deliver(LedgerProjection(Ledger(live), Tracer("settlement", "test")), groups, data)
        check(live, journal)
        with live.begin() as connection:
            for query in PUBLISHED:
                assert connection.exec_driver_sql(query).all() == [], query
        ask(LedgerReader(live), journal, projection_of=len(groups))
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
    net: dict[str, Counter[str]] = defaultdict(Counter)
    for entry, account, _, amount_minor in postings:
        net[owner[entry]][account] += amount_minor
    for id in journal.states:
        left = {account: minor for account, minor in net[id].items() if minor}
        assert left == left_by(journal, id), id
    # What each merchant is owed: all that its settled transactions took, less what they gave back.
    for merchant in set(TERMINALS.values()):
        payable = sum(minor for _, account, _, minor in postings if account == f"merchant:{merchant}:payable")
        settled = [i for id, i in journal.intents.items() if journal.states[id] is State.SETTLED]
        assert -payable == sum(
            journal.amounts[i.id] * (1 if i.kind in TAKES else -1) for i in settled if i.merchant == merchant
        )


def left_by(journal: Journal, id: str) -> dict[str, int]:
    """What a transaction leaves on the accounts, in minor units, debits above zero."""
    state, intent = journal.states[id], journal.intents.get(id)
    if intent is None or state not in (State.APPROVED, State.SETTLED):
        return {}
    amount = journal.amounts[id]
    issuer = f"issuer:{intent.institution}:receivable"
    if intent.kind is Kind.TRANSFER:
        target = f"issuer:{intent.target_institution}:receivable"
        return {issuer: amount, target: -amount} if target != issuer else {}
    side = f"merchant:{intent.merchant}:{'payable' if state is State.SETTLED else 'captured'}"
    if intent.kind in TAKES:
        return {issuer: amount, side: -amount}
    return {issuer: -amount, side: amount} if intent.kind in RETURNS else {}


def ask(reader: LedgerReader, journal: Journal, *, projection_of: int) -> None:
    """What the ledger says of each transaction, and of what stands on it."""
    for id, state in journal.states.items():
        found, checkpoint = reader.transaction(TransactionQuestion(shard=0, sequence=projection_of, ids=(id,)))
        assert checkpoint == projection_of
        if state not in (State.APPROVED, State.SETTLED):
            assert found == NoTransaction()
            continue
        assert isinstance(found, FoundTransaction)
        alone = [c for c in journal.standing_claims(id) if CLAIMS[journal.intents[c].kind].exclusive]
        told = (found.state, found.amount_minor, found.taken_minor, found.spent)
        assert told == (state, journal.amounts[id], journal.taken(id), bool(alone))
        assert found.asked_minor == journal.intents[id].amount_minor


def test_the_page_publishes_the_checks() -> None:
    assert len(PUBLISHED) == 7
