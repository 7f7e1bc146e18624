"""Any order of authorizations, repetitions and reversals keeps the bank's promises."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import encode_stored
from contracts.ledger import LedgerRecord, Posting, ReversalPosting, record_decoder
from contracts.money import CNY
from issuer_sim.domain import accounts
from issuer_sim.domain.accounts import Account, State
from issuer_sim.domain.decide import decide, decide_reverse
from issuer_sim.domain.facts import Asked, Evidence, Pin
from issuer_sim.domain.scripted import PLAIN, script_for

ACCOUNTS = (
    Account("D1", opening_minor=1_000),
    Account("D2", opening_minor=2_000_000),
    Account("C1", credit_limit_minor=900_000),
    Account("LOST", opening_minor=1_000, status="lost"),
)


class Authorize(NamedTuple):
    asked: Asked
    evidence: Evidence
    scripted: bool


class Reverse(NamedTuple):
    transaction: str


Step = Authorize | Reverse

ids = st.sampled_from([f"10000001:00000{batch}:{n:06d}" for batch in (1, 2, 3) for n in range(4)])
promises = st.sampled_from(["", "", "", "000001", "000002", "000003"])
amounts = st.one_of(st.integers(-5, 1_200), st.sampled_from([800_001, 800_051, 800_100, 800_200, 800_300, 800_400]))
authorizations = st.builds(
    Authorize,
    st.builds(
        Asked,
        transaction=ids,
        account=st.sampled_from(["D1", "D2", "C1", "LOST", ""]),
        amount_minor=amounts,
        currency=st.sampled_from([CNY, CNY, CNY, "840"]),
        pin_required=st.booleans(),
        at_ms=st.just(1),
        kept_from=promises,
    ),
    st.builds(
        Evidence,
        expired=st.integers(0, 9).map(lambda n: n == 0),
        card_ok=st.integers(0, 9).map(lambda n: n > 0),
        pin=st.sampled_from([Pin.RIGHT, Pin.RIGHT, Pin.RIGHT, Pin.WRONG, Pin.ABSENT, Pin.UNREADABLE]),
    ),
    st.booleans(),
)
steps = st.lists(st.one_of(authorizations, authorizations, st.builds(Reverse, ids)), max_size=40)


class Run(NamedTuple):
    state: State
    records: list[LedgerRecord]
    answers: list[tuple[Step, object]]


def play(sequence: list[Step]) -> Run:
    """Decides each step and applies its records, holding the limits after every one."""
    run = Run(accounts.open_accounts(ACCOUNTS), [], [])
    for step in sequence:
        before = accounts.dump(run.state)
        if isinstance(step, Authorize):
            script = script_for(step.asked.amount_minor) if step.scripted else PLAIN
            decision = decide(run.state, step.asked, step.evidence, script)
            records, reply = decision.records, decision.reply
        else:
            reversal = decide_reverse(run.state, step.transaction, reason="98", at_ms=2)
            records, reply = reversal.records, reversal.reply
        assert accounts.dump(run.state) == before, "deciding changed the state"
        for record in records:
            accounts.apply(run.state, record)
        run.records.extend(records)
        run.answers.append((step, reply))
        assert all(account.available_minor >= 0 for account in run.state.accounts.values())
    return run


@given(steps)
@settings(max_examples=300, deadline=None)
def test_money_is_taken_at_most_once_and_given_back_at_most_once(sequence: list[Step]) -> None:
    run = play(sequence)
    taken: dict[str, list[int]] = defaultdict(list)
    given_back: dict[str, list[int]] = defaultdict(list)
    balances = {account.number: account.opening_minor for account in ACCOUNTS}
    for record in run.records:
        if isinstance(record, Posting):
            taken[record.id].append(record.amount_minor)
            balances[record.account] -= record.amount_minor
        elif isinstance(record, ReversalPosting):
            given_back[record.id].append(record.amount_minor)
            if record.amount_minor:
                balances[record.account] += record.amount_minor
    for transaction in taken.keys() | given_back.keys():
        assert len(taken[transaction]) <= 1
        assert len(given_back[transaction]) <= 1
        left = sum(taken[transaction]) - sum(given_back[transaction])
        assert left == (0 if given_back[transaction] else sum(taken[transaction]))
        known = run.state.find(transaction)
        assert (known.amount_minor if known else 0) == left, "also of what has been archived"
    assert {n: a.balance_minor for n, a in run.state.accounts.items()} == balances


@given(steps)
@settings(max_examples=300, deadline=None)
def test_repetitions_are_answered_alike_and_reversals_hold_for_ever(sequence: list[Step]) -> None:
    first: dict[str, object] = {}
    reversed_ids: set[str] = set()
    for step, reply in play(sequence).answers:
        if isinstance(step, Reverse):
            reversed_ids.add(step.transaction)
        elif step.asked.transaction in reversed_ids:
            assert reply is not None
            assert reply.response_code == "12"  # type: ignore[attr-defined]
        elif reply is not None and step.asked.transaction in first:
            assert reply == first[step.asked.transaction]
        elif reply is not None:
            first[step.asked.transaction] = reply


@given(steps)
@settings(max_examples=200, deadline=None)
def test_replaying_the_log_or_a_snapshot_gives_the_same_state(sequence: list[Step]) -> None:
    run = play(sequence)
    replayed = accounts.open_accounts(ACCOUNTS)
    for index, record in enumerate(run.records):
        accounts.apply(replayed, record_decoder.decode(encode_stored(record)))
        if index == len(run.records) // 2:  # a take-over in mid-log
            replayed = accounts.load(accounts.dump(replayed))
    assert replayed == run.state
    assert accounts.load(accounts.dump(run.state)) == run.state
