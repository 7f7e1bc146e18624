"""What `lianji account` makes of a bank's ledger: a history that ends where the bank's own account does, and bills that come to what was taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.kinds import Kind
from contracts.ledger import HoldExpired, LedgerRecord, Posting, Refusal, ReversalPosting, ScriptResults
from contracts.terms import InstalmentPlan
from issuer_sim.domain import accounts
from issuer_sim.domain.kinds.instalment import terms
from lianji.accounts.history import DISOBEYED, EXPIRY, OBEYED, REVERSAL, Account, Line
from lianji.accounts.statement import FEE, Terms, month_named, month_of, statement

JANUARY = 1_767_196_800_000
"""2026-01-01, 00:00 where the banks are."""
DAY = 24 * 3600 * 1000
FEE_PERMILLE = 6


def account(*records: LedgerRecord, opening_minor: int = 0) -> Account:
    found = Account(number="C1", currency="156", opening_minor=opening_minor, credit_limit_minor=10_000_00)
    for record in records:
        found.take(record)
    return found


def posting(id_: str, minor: int, *, kind: Kind = Kind.SALE, at_ms: int = JANUARY, **more: object) -> Posting:
    known = {"account": "C1", "currency": "156", "authorization_code": "A00001"}
    return Posting(at_ms=at_ms, id=id_, amount_minor=minor, kind=kind, **{**known, **more})  # type: ignore[arg-type]


def plan(id_: str, minor: int, periods: int, *, at_ms: int = JANUARY, fee_mode: str = "0") -> Posting:
    made = terms(minor, "156", InstalmentPlan(periods=periods, fee_mode=fee_mode), FEE_PERMILLE)
    return posting(id_, minor, kind=Kind.INSTALMENT, at_ms=at_ms, instalment=made)


def undone(id_: str, minor: int, *, at_ms: int) -> ReversalPosting:
    return ReversalPosting(at_ms=at_ms, id=id_, account="C1", amount_minor=minor, currency="156", reason="98")


def bills(lines: list[Line], months: int = 120) -> list[int]:
    first = month_of(JANUARY)
    made = [statement(lines, first + number) for number in range(months)]
    for before, after in itertools.pairwise(made):
        assert after.before_minor == before.owed_minor
    return [sum(line.amount_minor for line in one.lines) for one in made]


def test_a_history_has_the_balance_behind_each_line() -> None:
    found = account(
        posting("s", 100_00),
        posting("h", 0, kind=Kind.PRE_AUTH, held_minor=300_00, expires_ms=JANUARY + DAY),
        Refusal(at_ms=JANUARY, id="r", response_code="51", account="C1"),
        posting("c", 200_00, kind=Kind.COMPLETION, releases="h", released_minor=300_00, original="h"),
        ReversalPosting(
            at_ms=JANUARY, id="c", account="C1", amount_minor=200_00, currency="156", reason="98", restored_minor=300_00
        ),
        HoldExpired(at_ms=JANUARY + DAY, id="h", account="C1", held_minor=300_00),
        ScriptResults(at_ms=JANUARY + DAY, id="s", account="C1", counter=1, results="20"),
        ScriptResults(at_ms=JANUARY + DAY, id="r", account="C1", counter=2, results="2011"),
        posting("x", 1, account="C2"),
    )
    seen = [(line.what, line.amount_minor, line.balance_minor, line.held_minor) for line in found.lines]
    assert seen == [
        ("sale", 100_00, -100_00, 0),
        ("pre-auth", 0, -100_00, 300_00),
        ("transaction", 0, -100_00, 300_00),
        ("completion", 200_00, -300_00, 0),
        (REVERSAL, -200_00, -100_00, 300_00),
        (EXPIRY, 0, -100_00, 0),
        (OBEYED, 0, -100_00, 0),
        (DISOBEYED, 0, -100_00, 0),
    ]
    assert (found.available_minor, found.lines[2].response_code) == (9_900_00, "51")


def test_an_instalment_sale_is_billed_month_by_month() -> None:
    found = account(posting("s", 50_00), plan("p", 1_000_01, 3))
    first = statement(found.lines, month_named("2026-01"))
    assert [(line.what, line.amount_minor, line.payment) for line in first.lines] == [
        ("sale", 50_00, 0),
        ("instalment", 333_35, 1),
        (FEE, 6_00, 1),
    ]
    assert (first.owed_minor, first.to_come_minor) == (389_35, 666_66 + 12_00)
    assert bills(found.lines, 4) == [389_35, 339_33, 339_33, 0]
    assert statement(found.lines, month_named("2026-02")).before_minor == 389_35


TERMS = Terms(due_days=20, least_permille=100)


def test_a_bill_says_what_is_to_be_paid_until_when() -> None:
    found = account(posting("s", 50_05), plan("p", 1_000_01, 3))
    bill = statement(found.lines, month_named("2026-01"), terms=TERMS)
    assert (bill.due, bill.least_minor) == ("2026-02-20", 333_35 + 6_00 + 5_01), "a tenth of the sale, rounded up"
    silent = statement(found.lines, month_named("2026-01"))
    assert (silent.due, silent.least_minor) == ("", 0), "a bank that sends no bills"


def test_nothing_is_due_where_nothing_is_owed() -> None:
    found = account(posting("s", 50_00), undone("s", 50_00, at_ms=JANUARY))
    bill = statement(found.lines, month_named("2026-01"), terms=TERMS)
    assert (bill.due, bill.least_minor) == ("", 0)


def test_of_a_plan_that_was_voided_nothing_is_due() -> None:
    end = posting("v", -900_00, kind=Kind.INSTALMENT_VOID, original="p")
    found = account(posting("s", 50_00), plan("p", 900_00, 3), end)
    bill = statement(found.lines, month_named("2026-01"), terms=TERMS)
    assert (bill.owed_minor, bill.least_minor) == (50_00, 5_00)


def test_who_has_paid_before_owes_no_more_than_is_left() -> None:
    found = account(posting("r", -300_00, kind=Kind.REFUND), plan("p", 900_00, 3))
    bill = statement(found.lines, month_named("2026-01"), terms=TERMS)
    assert (bill.owed_minor, bill.least_minor) == (5_40, 5_40)


def test_the_whole_fee_may_come_with_the_first_payment() -> None:
    assert bills(account(plan("p", 1_200_00, 12, fee_mode="1")).lines, 13) == [100_00 + 86_40, *[100_00] * 11, 0]


@pytest.mark.parametrize("how", ["void", "reversal"])
def test_what_is_undone_is_billed_no_more_and_what_was_billed_comes_back(how: str) -> None:
    later = JANUARY + 33 * DAY
    end = (
        posting("v", -900_00, kind=Kind.INSTALMENT_VOID, original="p", at_ms=later)
        if how == "void"
        else undone("p", 900_00, at_ms=later)
    )
    found = account(plan("p", 900_00, 3), end)
    assert found.balance_minor == 0
    assert bills(found.lines, 4) == [305_40, -305_40, 0, 0]
    if how == "void":
        again = account(plan("p", 900_00, 3), end, undone("v", -900_00, at_ms=later))
        assert bills(again.lines, 4) == [305_40, 305_40, 305_40, 0], "its void was undone, and it goes on"


def test_a_month_is_the_banks() -> None:
    found = account(posting("a", 1, at_ms=JANUARY - 1), posting("b", 2, at_ms=JANUARY))
    assert [line.id for line in statement(found.lines, month_named("2026-01")).lines] == ["b"]
    for wrong in ("2026-13", "2026-1", "", "202601", "2026-00"):
        with pytest.raises(ValueError, match="is no month; write it like"):
            month_named(wrong)


deeds = st.lists(
    st.tuples(
        st.sampled_from(["sale", "plan", "void", "reverse"]),
        st.integers(1, 5_000_00),
        st.sampled_from([3, 6, 12]),
        st.integers(0, 40),
    ),
    max_size=25,
)


def ledger(days: list[tuple[str, int, int, int]]) -> Iterator[LedgerRecord]:
    """Of a bank: nothing is undone twice, and nothing that a void stands on."""
    at_ms, standing = JANUARY, []
    for number, (what, minor, periods, pause) in enumerate(days):
        at_ms += pause * DAY
        id_ = f"t{number}"
        if what == "sale":
            record: Posting | ReversalPosting = posting(id_, minor, at_ms=at_ms)
        elif what == "plan":
            record = plan(id_, minor, periods, at_ms=at_ms)
        else:
            if not standing:
                continue
            original = standing.pop(minor % len(standing))
            if what == "void" and original.kind is Kind.INSTALMENT:
                taken = -original.amount_minor
                record = posting(id_, taken, kind=Kind.INSTALMENT_VOID, original=original.id, at_ms=at_ms)
            else:
                record = undone(original.id, original.amount_minor, at_ms=at_ms)
        yield record
        if isinstance(record, Posting):
            standing.append(record)


@given(deeds)
def test_all_bills_together_are_what_was_taken_and_the_fees_of_what_stands(
    days: list[tuple[str, int, int, int]],
) -> None:
    records = list(ledger(days))
    found = account(*records)
    bank = accounts.open_accounts([accounts.Account("C1", credit_limit_minor=10_000_00)])
    for record in records:
        accounts.apply(bank, record)
    assert found.balance_minor == bank.accounts["C1"].balance_minor, "as the bank itself has it"
    ended: set[str] = set()
    for record in records:
        if isinstance(record, ReversalPosting):
            void = next((r for r in records if isinstance(r, Posting) and r.id == record.id and r.original), None)
            ended = ended - {void.original} if void is not None else ended | {record.id}
        elif record.original:
            ended.add(record.original)
    plans = [r for r in records if isinstance(r, Posting) and r.instalment is not None and r.id not in ended]
    fees = sum(r.instalment.fee_minor for r in plans if r.instalment is not None)
    assert sum(bills(found.lines)) == -found.balance_minor + fees
