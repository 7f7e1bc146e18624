"""Any order of transactions of every kind, repetitions, reversals and days keeps the bank's promises."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import encode_stored
from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.ledger import Archived, HoldExpired, LedgerRecord, Posting, ReversalPosting, record_decoder
from contracts.money import CNY
from contracts.terms import InstalmentPlan
from issuer_sim.domain import accounts, expiry
from issuer_sim.domain.accounts import Account, State, key_of
from issuer_sim.domain.decide import decide
from issuer_sim.domain.facts import Asked, Evidence, Pin
from issuer_sim.domain.reverse import decide_reverse
from issuer_sim.domain.scripted import PLAIN, script_for
from issuer_sim.domain.terms import BankTerms, CardTerms

ACCOUNTS = (
    Account("D1", opening_minor=1_000),
    Account("D2", opening_minor=2_000_000),
    Account("C1", credit_limit_minor=900_000),
    Account("LOST", opening_minor=1_000, status="lost"),
)
BANK = BankTerms(hold_ms=20, instalment_periods=frozenset({3, 12}), instalment_fee_permille=6)
HOLDING = frozenset({Kind.PRE_AUTH_VOID, Kind.COMPLETION, Kind.COMPLETION_ADVICE})
"""What is about a pre-authorization."""


IDS = [f"10000001:00000{batch}:{n:06d}" for batch in (1, 2, 3) for n in range(12)]
AMOUNTS = (-5, 0, 1, 900, 1_200, 800_001, 800_051, 800_100, 800_200, 800_300, 800_400)
KINDS_ASKED = [*Kind, *[Kind.PRE_AUTH] * 4, *HOLDING, *HOLDING, Kind.TRANSFER, Kind.TRANSFER]
BAD_PINS = (Pin.WRONG, Pin.ABSENT, Pin.UNREADABLE)


class Authorize(NamedTuple):
    asked: Asked
    evidence: Evidence
    scripted: bool


class Reverse(NamedTuple):
    transaction: str


class Pass(NamedTuple):
    """Time, and the bank going through its holds or not."""

    ms: int
    sweeps: bool


Step = Authorize | Reverse | Pass

days = st.builds(lambda seed, length: (seed, length), st.integers(0, 2**32), st.integers(0, 70))
"""A seed and so many steps: what is asked for is mostly about something that there is, which no independent draws come to."""


class Run(NamedTuple):
    state: State
    records: list[LedgerRecord]
    answers: list[tuple[Step, object, tuple[LedgerRecord, ...]]]
    """Each step, what was said to it, and its records."""


def about(chance: Random, kind: Kind, records: list[LedgerRecord]) -> dict[str, Any]:
    """Mostly an earlier posting that such a kind may be about, by the card that it was done with."""
    fits = [
        record
        for record in records
        if isinstance(record, Posting) and (record.held_minor if kind in HOLDING else record.amount_minor) > 0
    ]
    if kind not in CLAIMS or not fits or not chance.randrange(8):
        return {"original": chance.choice(IDS)}
    posting = chance.choice(fits)
    return {"original": posting.id, "account": posting.account}


def authorize(chance: Random, records: list[LedgerRecord], at_ms: int) -> Authorize:
    """Mostly what a bank approves."""

    def rare(one_in: int = 15) -> bool:
        return not chance.randrange(one_in)

    kind = chance.choice(KINDS_ASKED)
    facts: dict[str, Any] = {
        "account": chance.choice(["LOST", ""]) if rare() else chance.choice(["D1", "D1", "D2", "C1"]),
        "card": CardTerms(
            debit=chance.random() < 0.5, day_minor=1_500 if rare(6) else 0, day_count=3 if rare(10) else 0
        ),
        "instalment": InstalmentPlan(periods=4 if rare(5) else 3) if chance.random() < 0.8 else None,
        **about(chance, kind, records),
    }
    return Authorize(
        Asked(
            transaction=chance.choice(IDS),
            kind=kind,
            amount_minor=chance.choice(AMOUNTS) if rare(6) else chance.randint(1, 400),
            currency="840" if rare(30) else CNY,
            bank=BANK,
            incoming=kind is Kind.TRANSFER and chance.random() < 0.6,
            takes_part=chance.random() < 0.5,
            at_ms=at_ms,
            kept_from=chance.choice(["000002", "000003"]) if rare(12) else "",
            **facts,
        ),
        Evidence(expired=rare(40), card_ok=not rare(40), pin=chance.choice(BAD_PINS) if rare(20) else Pin.RIGHT),
        chance.random() < 0.5,
    )


def next_step(chance: Random, records: list[LedgerRecord], at_ms: int) -> Step:
    what = chance.randrange(20)
    if what < 14:
        return authorize(chance, records, at_ms)
    if what < 15:
        return Reverse(chance.choice(IDS))
    if what < 18:
        return Reverse(chance.choice([r.id for r in records if isinstance(r, Posting)] or IDS))
    return Pass(chance.randint(1, 12), chance.random() < 0.5)


def play(day: tuple[int, int]) -> Run:
    """Decides each step and applies its records, holding the limits after every one."""
    seed, length = day
    chance, run, at_ms = Random(seed), Run(accounts.open_accounts(ACCOUNTS), [], []), 1  # noqa: S311 - to be repeated
    for _ in range(length):
        step = next_step(chance, run.records, at_ms)
        before = accounts.dump(run.state)
        records: tuple[LedgerRecord, ...] = ()
        reply: object = None
        if isinstance(step, Authorize):
            script = script_for(step.asked.amount_minor) if step.scripted else PLAIN
            decision = decide(run.state, step.asked, step.evidence, script)
            records, reply = decision.records, decision.reply
        elif isinstance(step, Reverse):
            reversal = decide_reverse(run.state, step.transaction, reason="98", at_ms=at_ms)
            records, reply = reversal.records, reversal.reply
        else:
            at_ms += step.ms
            records = expiry.of_bank(run.state, at_ms, most=2) if step.sweeps else ()
        assert accounts.dump(run.state) == before, "deciding changed the state"
        for record in records:
            accounts.apply(run.state, record)
        run.records.extend(records)
        run.answers.append((step, reply, records))
        for account in run.state.accounts.values():
            assert account.available_minor >= -account.forced_minor
            assert account.held_minor == sum(hold.minor for hold in run.state.holds.of(account.number).values())
    return run


class Book:
    """An account's money and holds by the records alone, reckoned on its own."""

    def __init__(self, records: list[LedgerRecord]) -> None:
        self.balances = {account.number: account.opening_minor for account in ACCOUNTS}
        self.open: dict[str, tuple[str, int]] = {}
        """Id → account, amount."""
        self.ended: dict[str, tuple[str, int]] = {}
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.given_back: dict[str, list[int]] = defaultdict(list)
        self.ends: Counter[str] = Counter()
        """How often each hold has ended, less how often it was put back."""
        for record in records:
            self.read(record)

    def read(self, record: LedgerRecord) -> None:
        match record:
            case Posting():
                self.taken[key_of(record.id, incoming=record.incoming)].append(record.amount_minor)
                self.balances[record.account] -= record.amount_minor
                if record.held_minor:
                    self.open[record.id] = (record.account, record.held_minor)
                if record.releases:
                    self.end(record.releases, record.account, record.released_minor)
                    self.ended[record.releases] = (record.account, record.released_minor)
            case ReversalPosting():
                self.given_back[key_of(record.id, incoming=record.incoming)].append(record.amount_minor)
                if record.amount_minor:
                    self.balances[record.account] += record.amount_minor
                if record.held_minor:
                    self.end(record.id, record.account, record.held_minor)
                if record.restores:
                    assert self.ended.pop(record.restores) == (record.account, record.restored_minor)
                    self.open[record.restores] = (record.account, record.restored_minor)
                    self.ends[record.restores] -= 1
            case HoldExpired():
                self.end(record.id, record.account, record.held_minor)

    def end(self, hold: str, account: str, minor: int) -> None:
        assert self.open.pop(hold) == (account, minor)
        self.ends[hold] += 1

    def available(self, account: Account) -> int:
        held = sum(minor for number, minor in self.open.values() if number == account.number)
        return self.balances[account.number] + account.credit_limit_minor - held


@given(days)
@settings(max_examples=400, deadline=None)
def test_money_moves_at_most_once_each_way_and_holds_end_at_most_once(day: tuple[int, int]) -> None:
    run = play(day)
    book = Book(run.records)
    for key in book.taken.keys() | book.given_back.keys():
        assert len(book.taken[key]) <= 1
        assert len(book.given_back[key]) <= 1
        left = sum(book.taken[key]) - sum(book.given_back[key])
        assert left == (0 if book.given_back[key] else sum(book.taken[key]))
        known = run.state.find(key)
        assert (known.amount_minor if known else 0) == left, "also of what has been archived"
    assert set(book.ends.values()) <= {0, 1}
    for number, account in run.state.accounts.items():
        assert account.balance_minor == book.balances[number]
        assert account.available_minor == book.available(account)
    open_holds = {id_: (a, hold.minor) for a, holds in run.state.holds.open.items() for id_, hold in holds.items()}
    assert open_holds == book.open


@given(days)
@settings(max_examples=300, deadline=None)
def test_nothing_but_a_notice_or_a_reversal_takes_what_is_not_there(day: tuple[int, int]) -> None:
    """Reckoned record by record, with each account's debt to what asked nobody summed up beside it."""
    run = play(day)
    forced: Counter[str] = Counter()
    book, limits = Book([]), {account.number: account for account in ACCOUNTS}
    for record in run.records:
        account = limits.get(getattr(record, "account", ""))
        before = book.available(account) if account else 0
        book.read(record)
        drop = before - book.available(account) if account else 0
        if drop > 0 and (isinstance(record, ReversalPosting) or (isinstance(record, Posting) and record.forced)):
            forced[record.account] += drop
        elif drop > 0:
            assert account is not None
            assert book.available(account) >= 0, record
    assert {n: a.forced_minor for n, a in run.state.accounts.items() if a.forced_minor} == dict(forced)


@given(days)
@settings(max_examples=300, deadline=None)
def test_a_hold_is_never_left_behind_by_its_term(day: tuple[int, int]) -> None:
    run = play(day)
    at_ms = 1 + sum(step.ms for step, _, _ in run.answers if isinstance(step, Pass))
    ended = [record.id for record in expiry.of_bank(run.state, at_ms + BANK.hold_ms, most=1_000)]
    assert sorted(ended) == sorted(id_ for holds in run.state.holds.open.values() for id_ in holds)
    for record in run.records:
        if isinstance(record, Posting) and record.releases:
            hold = next(r for r in run.records if isinstance(r, Posting) and r.id == record.releases and r.held_minor)
            assert record.at_ms < hold.expires_ms, "ended by a transaction before its term, or not at all"


@given(days)
@settings(max_examples=300, deadline=None)
def test_repetitions_are_answered_alike_and_reversals_hold_for_ever(day: tuple[int, int]) -> None:
    first: dict[tuple[str, bool], tuple[Asked, object]] = {}
    reversed_ids: set[str] = set()
    for step, reply, _ in play(day).answers:
        if isinstance(step, Reverse):
            reversed_ids.add(step.transaction)
        if not isinstance(step, Authorize) or reply is None:
            continue
        key = step.asked.transaction, step.asked.incoming
        if step.asked.transaction in reversed_ids:
            assert reply.response_code == "12"  # type: ignore[attr-defined]
        elif key in first:
            before = first[key]
            for name in ("response_code", "authorization_code", "part_minor"):
                assert getattr(reply, name) == getattr(before[1], name)
            if (step.asked.kind, step.asked.amount_minor) == (before[0].kind, before[0].amount_minor) and (
                step.asked.instalment,
                step.asked.account,
            ) == (before[0].instalment, before[0].account):
                assert reply.instalment == before[1].instalment  # type: ignore[attr-defined]
        else:
            first[key] = (step.asked, reply)


@given(days)
@settings(max_examples=300, deadline=None)
def test_a_posting_does_what_its_kind_says(day: tuple[int, int]) -> None:
    postings = [
        (step.asked, record)
        for step, _, records in play(day).answers
        if isinstance(step, Authorize)
        for record in records
        if isinstance(record, Posting)
    ]
    for question, record in postings:
        facts = KINDS[question.kind]
        charge = -1 if record.incoming else facts.charge
        if record.part_of_minor:
            assert question.takes_part
            assert 0 < record.amount_minor < record.part_of_minor == question.amount_minor
        else:
            assert record.amount_minor == charge * question.amount_minor
        assert bool(record.held_minor) == (facts.effect.value == "holds")
        assert bool(record.releases) == (question.kind in HOLDING)
        assert record.forced == facts.advice


@given(days)
@settings(max_examples=200, deadline=None)
def test_replaying_the_log_or_a_snapshot_gives_the_same_state(day: tuple[int, int]) -> None:
    run = play(day)
    replayed = accounts.open_accounts(ACCOUNTS)
    for index, record in enumerate(run.records):
        accounts.apply(replayed, record_decoder.decode(encode_stored(record)))
        if index == len(run.records) // 2:  # a take-over in mid-log
            replayed = accounts.load(accounts.dump(replayed))
    assert replayed == run.state
    assert accounts.load(accounts.dump(run.state)) == run.state


@given(days)
@settings(max_examples=300, deadline=None)
def test_what_is_archived_counts_as_if_it_were_not(day: tuple[int, int]) -> None:
    run = play(day)
    kept = accounts.open_accounts(ACCOUNTS)
    for record in run.records:
        if not isinstance(record, Archived):
            accounts.apply(kept, record)
    assert kept.accounts == run.state.accounts
    assert kept.holds.open == run.state.holds.open
    for id_ in IDS:
        for incoming in (False, True):
            known = kept.find(key_of(id_, incoming=incoming))
            found = run.state.find(key_of(id_, incoming=incoming))
            assert (found.amount_minor if found else 0) == (known.amount_minor if known else 0)
        assert given_back(kept, id_) == given_back(run.state, id_)


def given_back(state: State, id_: str) -> set[tuple[str, int, bool]]:
    """What a reversal of it would move."""
    records = decide_reverse(state, id_, reason="98", at_ms=9).records
    return {
        (r.account, r.amount_minor, r.incoming) for r in records if isinstance(r, ReversalPosting) and r.amount_minor
    }
