"""Whatever a journal loses, banks and terminals give back: the mended journal is one that switch, settlement and receipts can read, what stood
stands, what was closed is closed, and every cardholder has paid for exactly that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

import world
from auth.domain.state import Shard
from auth.domain.state import apply as apply_to_switch
from contracts.authorization import Totals
from contracts.identity import format_rrn, shard_of, transaction_id
from contracts.journal import BatchClosed, EpochStarted, Intent, Outcome, Record, Reversed, Reversing, SignedOn
from contracts.kinds import Kind
from contracts.ledger import Posting, Refusal, ReversalPosting
from contracts.pan import MaskedCard
from contracts.states import State
from lianji.recovery.charges import Charges
from lianji.recovery.decisions import Action
from lianji.recovery.mending import Mended, Mender
from lianji.recovery.paths import Paths
from lianji.recovery.witnesses import Close, Seen, Witnesses
from receipts.domain.filing import File, Names
from settlement.domain.book import Book
from settlement.domain.postings import post

WORLD, SHARD = world.built_in(), 0
TERMINALS = [t for t in WORLD.terminals if shard_of(t.merchant, WORLD.shards) == SHARD][:3]
BANK = WORLD.institutions[0].id
CARD = MaskedCard(first6="621234", last4="1265", length=16, digest="0" * 32)
AMOUNT = 100

APPROVED, DECLINED, UNANSWERED, TAKEN_BACK, LATE, CLOSE = (
    "approved",
    "declined",
    "unanswered",
    "taken back",
    "late",
    "close",
)
OPERATIONS = (APPROVED, DECLINED, UNANSWERED, TAKEN_BACK, LATE, CLOSE)
"""LATE: the last approval of the batch before is reversed, after its close."""


class Day:
    """A switch's day, with what bank and terminals saw of it."""

    def __init__(self) -> None:
        self.journal: list[Record] = [EpochStarted(epoch=1, owner="a", at_ms=0)]
        self.bank = Charges(BANK)
        self.seen: dict[str, Seen] = {}
        self.closes: list[Close] = []
        self.standing: set[str] = set()
        self.closed: set[tuple[str, str]] = set()
        self._number = 0
        self._stan = dict.fromkeys((t.tid for t in TERMINALS), 0)
        self._batch = dict.fromkeys((t.tid for t in TERMINALS), 1)
        self._open: dict[str, list[str]] = {t.tid: [] for t in TERMINALS}
        self._before: dict[str, list[str]] = {t.tid: [] for t in TERMINALS}
        for terminal in TERMINALS:
            self.journal.append(
                SignedOn(
                    terminal=terminal.tid,
                    merchant=terminal.merchant,
                    batch="000001",
                    operator="01",
                    stan="000000",
                    rrn=self._rrn(),
                    at_ms=0,
                )
            )

    def _rrn(self) -> str:
        self._number += 1
        return format_rrn(SHARD, self._number)

    def do(self, terminal: world.Terminal, operation: str) -> None:
        if operation == CLOSE:
            self._close(terminal)
        elif operation == LATE:
            if self._before[terminal.tid]:
                self._take_back(self._before[terminal.tid].pop(), after_close=True)
        else:
            self._sell(terminal, operation)

    def _sell(self, terminal: world.Terminal, operation: str) -> None:
        tid, batch = terminal.tid, f"{self._batch[terminal.tid]:06d}"
        self._stan[tid] += 1
        stan = f"{self._stan[tid]:06d}"
        id_, rrn = transaction_id(tid, batch, stan), self._rrn()
        self.journal.append(
            Intent(
                id=id_,
                rrn=rrn,
                kind=Kind.SALE,
                terminal=tid,
                merchant=terminal.merchant,
                batch=batch,
                stan=stan,
                operator="01",
                amount_minor=AMOUNT,
                currency="156",
                institution=BANK,
                entry_mode="021",
                card=CARD,
                fingerprint="1:ab",
                at_ms=1,
            )
        )
        code = "51" if operation == DECLINED else "" if operation == UNANSWERED else "00"
        if operation == DECLINED:
            self.bank.take(Refusal(id=id_, response_code="51", at_ms=1))
        else:
            posting = Posting(
                id=id_, account="1", amount_minor=AMOUNT, currency="156", authorization_code="000001", at_ms=1
            )
            self.bank.take(posting)
        state = State.DECLINED if operation == DECLINED else State.APPROVED
        self.journal.append(
            Outcome(
                id=id_,
                state=state,
                response_code=code or "00",
                authorization_code="" if operation == DECLINED else "000001",
                at_ms=2,
            )
        )
        self.seen[id_] = Seen(
            id=id_,
            terminal=tid,
            batch=batch,
            stan=stan,
            kind=Kind.SALE,
            amount_minor=AMOUNT,
            currency="156",
            card="621234******1265",
            entry_mode="021",
            at_ms=2,
            response_code=code,
            rrn=rrn if code else "",
            authorization_code="000001" if code == "00" else "",
            undone=False,
            waits=False,
        )
        if operation == APPROVED:
            self.standing.add(id_)
            self._open[tid].append(id_)
        elif operation in (UNANSWERED, TAKEN_BACK):
            self._take_back(id_, after_close=False)

    def _take_back(self, id_: str, *, after_close: bool) -> None:
        self.journal.append(Reversing(id=id_, reason="98", origin="terminal", after_close=after_close, at_ms=3))
        self.bank.take(ReversalPosting(id=id_, account="1", amount_minor=AMOUNT, currency="156", reason="98", at_ms=3))
        self.journal.append(Reversed(id=id_, institution=BANK, at_ms=3))
        self.standing.discard(id_)
        was = self.seen[id_]
        self.seen[id_] = Seen(**{name: getattr(was, name) for name in was.__struct_fields__} | {"undone": True})

    def _close(self, terminal: world.Terminal) -> None:
        tid, batch = terminal.tid, f"{self._batch[terminal.tid]:06d}"
        self._batch[tid] += 1
        self._stan[tid] += 1
        totals = Totals(debit_minor=AMOUNT * len(self._open[tid]), debit_count=len(self._open[tid]))
        facts = {"terminal": tid, "batch": batch, "stan": f"{self._stan[tid]:06d}", "rrn": self._rrn(), "at_ms": 4}
        self.journal.append(
            BatchClosed(
                **facts,  # type: ignore[arg-type]
                merchant=terminal.merchant,
                next_batch=f"{self._batch[tid]:06d}",
                operator="01",
                currency="156",
                totals=totals,
            )
        )
        self.closes.append(Close(**facts, totals=totals))  # type: ignore[arg-type]
        self.closed.add((tid, batch))
        self._before[tid], self._open[tid] = self._open[tid], []

    def mend(self, kept: int, again: int) -> tuple[Paths, Mended]:
        """The journal keeps `kept` records; those from `again` on stand behind the damage."""
        paths = Paths()
        assert all(paths.take(record) for record in self.journal[:kept])
        witnesses = Witnesses(seen=self.seen, closes=self.closes)
        mender = Mender(SHARD, WORLD, paths, [self.bank], witnesses, at_ms=9)
        return paths, mender.run(self.journal[again:])


class Damage(NamedTuple):
    operations: list[tuple[int, str]]
    kept_percent: int
    again_percent: int


damages = st.builds(
    Damage,
    # A day worth losing: the library would mostly make days of two or three sales.
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(OPERATIONS)), min_size=15, max_size=50),
    st.integers(0, 100),
    st.integers(0, 100),
)


def can_be_read(journal: Iterable[Record]) -> None:
    """By the switch, settlement and receipts; each raises when it cannot."""
    shard, book, slips = Shard(), Book(1, (), ()), File(Names(str, str, WORLD.acquirer), {}, set())
    for position, record in enumerate(journal):
        apply_to_switch(shard, record)
        post(book, record)
        slips.take(1, position, record)


def check(damage: Damage) -> None:
    day = Day()
    for terminal, operation in damage.operations:
        day.do(TERMINALS[terminal], operation)
    total = len(day.journal)
    kept = damage.kept_percent * total // 100
    paths, mended = day.mend(kept, max(kept, damage.again_percent * total // 100))
    can_be_read([*day.journal[:kept], *mended.journal])
    assert [one for one in mended.found if one.action is Action.FOR_A_PERSON] == []
    stands = {id_ for id_, path in paths.of.items() if path.state in (State.APPROVED, State.SETTLED)}
    assert stands == day.standing
    assert paths.closed == day.closed
    told = {id_ for id_, path in paths.of.items() if path.waiting}  # the switch tells these until they have given back
    charged = {id_ for id_, charge in day.bank.of.items() if charge.net_minor and id_ not in told}
    assert charged == day.standing


@given(damages)
def test_what_a_journal_loses_comes_back_from_banks_and_terminals(damage: Damage) -> None:
    check(damage)


@given(damages)
def test_nothing_lost_is_nothing_mended(damage: Damage) -> None:
    day = Day()
    for terminal, operation in damage.operations:
        day.do(TERMINALS[terminal], operation)
    _, mended = day.mend(len(day.journal), len(day.journal))
    assert mended == Mended()
