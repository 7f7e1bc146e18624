"""What each journal record posts, and what the books refuse."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from contracts.authorization import Totals
from contracts.journal import BatchClosed, Intent, Outcome, Recalled, Record, Reversed, Reversing, SignedOn, Tombstone
from contracts.kinds import KINDS, Kind
from contracts.pan import MaskedCard
from contracts.states import State
from settlement.domain.book import Book
from settlement.domain.days import date_time, day_bounds_ms
from settlement.domain.ledger import EntryKind, KindTotal, Posted, PostingError
from settlement.domain.postings import needed, post

MERCHANT, TERMINAL, BATCH = "482290058130001", "10000001", "000001"
ID = f"{TERMINAL}:{BATCH}:000001"
SALE_TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
CLOSE_TRACE = f"00-{'3' * 32}-{'4' * 16}-01"


def intent(stan: str = "000001", amount_minor: int = 1234) -> Intent:
    return Intent(
        at_ms=1,
        id=f"{TERMINAL}:{BATCH}:{stan}",
        rrn=f"000000{stan}",
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        stan=stan,
        operator="01",
        amount_minor=amount_minor,
        currency="156",
        institution="huaxing",
        entry_mode="021",
        card=MaskedCard(first6="629101", last4="0018", length=16, digest="0" * 32),
        fingerprint="f",
    )


def approved(stan: str = "000001") -> Outcome:
    return Outcome(at_ms=2, id=f"{TERMINAL}:{BATCH}:{stan}", state=State.APPROVED, response_code="00", trace=SALE_TRACE)


def reversing(*, after_close: bool = False) -> Reversing:
    return Reversing(at_ms=4, id=ID, reason="98", origin="terminal", after_close=after_close)


def closed(debit_minor: int, debit_count: int) -> BatchClosed:
    return BatchClosed(
        at_ms=3,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        next_batch="000002",
        operator="01",
        stan="000009",
        rrn="000000000009",
        currency="156",
        totals=Totals(debit_minor=debit_minor, debit_count=debit_count),
        trace=CLOSE_TRACE,
    )


def posted(*records: Record) -> Book:
    book = Book(1, (), ())
    for record in records:
        post(book, record)
    return book


def rows(book: Book) -> list[tuple[str, str, str, int]]:
    return [(e.kind.value, e.debit, e.credit, e.amount_minor) for e in book.entries]


RECEIVABLE, CAPTURED, PAYABLE = (
    "issuer:huaxing:receivable",
    f"merchant:{MERCHANT}:captured",
    f"merchant:{MERCHANT}:payable",
)
CAPTURE = ("capture", RECEIVABLE, CAPTURED, 1234)


@pytest.mark.parametrize(
    ("records", "expected", "state"),
    [
        ((intent(),), [], State.INTENT),
        ((intent(), approved()), [CAPTURE], State.APPROVED),
        ((intent(), Outcome(at_ms=2, id=ID, state=State.DECLINED, response_code="51")), [], State.DECLINED),
        ((intent(), reversing()), [], State.REVERSING),
        ((intent(), approved(), reversing()), [CAPTURE, ("reversal", CAPTURED, RECEIVABLE, 1234)], State.REVERSING),
        ((intent(), approved(), closed(1234, 1)), [CAPTURE, ("settlement", CAPTURED, PAYABLE, 1234)], State.SETTLED),
        (
            (intent(), approved(), closed(1234, 1), reversing(after_close=True)),
            [CAPTURE, ("settlement", CAPTURED, PAYABLE, 1234), ("compensation", PAYABLE, RECEIVABLE, 1234)],
            State.REVERSING,
        ),
        (
            (intent(), approved(), reversing(), closed(0, 0)),
            [CAPTURE, ("reversal", CAPTURED, RECEIVABLE, 1234)],
            State.REVERSING,
        ),
    ],
)
def test_records_post(records: tuple[Record, ...], expected: list[tuple[str, str, str, int]], state: State) -> None:
    book = posted(*records)
    assert rows(book) == expected
    assert book.transactions[ID].state is state


TAKES = (Kind.SALE, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.INSTALMENT, Kind.OFFLINE_SALE)
RETURNS = (Kind.VOID, Kind.REFUND, Kind.COMPLETION_VOID, Kind.INSTALMENT_VOID)
UNSETTLED = tuple(kind for kind in Kind if kind not in (*TAKES, *RETURNS))
OTHER_RECEIVABLE = "issuer:nanhai:receivable"


def of_kind(kind: Kind, *, target: str = "nanhai") -> Intent:
    return replace(intent(), kind=kind, target_institution=target if kind is Kind.TRANSFER else "")


def totals_closed(kind: Kind) -> BatchClosed:
    """The close of a batch that holds one approval of 1234 of the kind."""
    totals = {"debit_minor": 1234, "debit_count": 1} if kind in TAKES else {}
    if kind in RETURNS:
        totals = {"credit_minor": 1234, "credit_count": 1}
    return replace(closed(0, 0), totals=Totals(**totals))


@pytest.mark.parametrize("kind", [*TAKES, *RETURNS])
def test_what_settles_is_booked_by_what_it_takes_or_gives_back(kind: Kind) -> None:
    debits_first = kind in TAKES

    def row(entry: str, debit: str, credit: str) -> tuple[str, str, str, int]:
        return (entry, debit, credit, 1234) if debits_first else (entry, credit, debit, 1234)

    captured = row("capture", RECEIVABLE, CAPTURED)
    settled = row("settlement", CAPTURED, PAYABLE)
    before = posted(of_kind(kind), approved(), reversing(), totals_closed(Kind.BALANCE))
    assert rows(before) == [captured, row("reversal", CAPTURED, RECEIVABLE)]
    book = posted(of_kind(kind), approved(), totals_closed(kind))
    assert rows(book) == [captured, settled]
    assert book.transactions[ID].state is State.SETTLED
    assert book.batches[TERMINAL, BATCH].lines == (KindTotal(kind, 1, 1234),)
    post(book, reversing(after_close=True))
    assert rows(book) == [captured, settled, row("compensation", PAYABLE, RECEIVABLE)]


@pytest.mark.parametrize("kind", UNSETTLED)
def test_what_does_not_settle_ends_as_it_is(kind: Kind) -> None:
    """No merchant's money moves; only what goes from bank to bank is an entry."""
    moved = [("capture", RECEIVABLE, OTHER_RECEIVABLE, 1234)] if kind is Kind.TRANSFER else []
    book = posted(of_kind(kind), approved(), totals_closed(kind))
    assert rows(book) == moved
    assert book.transactions[ID].state is State.APPROVED
    assert book.batches[TERMINAL, BATCH].lines == ()
    assert book.batches[TERMINAL, BATCH].totals == Totals()
    post(book, reversing())
    undone = [("reversal", OTHER_RECEIVABLE, RECEIVABLE, 1234)] if moved else []
    assert rows(book) == [*moved, *undone]


def test_every_kind_is_in_one_of_those_tests() -> None:
    assert {kind for kind, facts in KINDS.items() if facts.settles} == {*TAKES, *RETURNS}


def test_a_transfer_within_one_bank_is_no_entry() -> None:
    book = posted(of_kind(Kind.TRANSFER, target="huaxing"), approved(), reversing())
    assert rows(book) == []
    post(book, Reversed(at_ms=5, id=ID, institution="huaxing"))
    assert book.transactions[ID].state is State.REVERSED


@pytest.mark.parametrize("first", ["huaxing", "nanhai"])
def test_a_transfer_is_reversed_when_both_banks_have_acknowledged(first: str) -> None:
    (second,) = {"huaxing", "nanhai"} - {first}
    book = posted(of_kind(Kind.TRANSFER), reversing(), Reversed(at_ms=5, id=ID, institution=first))
    assert book.transactions[ID].state is State.REVERSING
    post(book, Reversed(at_ms=6, id=ID, institution=second))
    assert book.transactions[ID].state is State.REVERSED


def test_a_reversal_of_an_archived_hold_or_transfer_is_booked_once() -> None:
    tombstone = Tombstone(
        at_ms=4,
        id=ID,
        rrn="000000000010",
        kind=Kind.TRANSFER,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        stan="000001",
        amount_minor=1234,
        currency="156",
        reason="98",
        institutions=("huaxing", "nanhai"),
    )
    book = posted(of_kind(Kind.TRANSFER), approved(), closed(0, 0), tombstone)
    assert rows(book)[1:] == [("reversal", OTHER_RECEIVABLE, RECEIVABLE, 1234)]
    hold = posted(of_kind(Kind.PRE_AUTH), approved(), closed(0, 0), replace(tombstone, kind=Kind.PRE_AUTH))
    assert hold.transactions[ID].state is State.REVERSING
    assert hold.entries == []


def test_a_part_that_was_approved_is_the_amount_from_there_on() -> None:
    part = replace(approved(), response_code="10", part_minor=1000)
    book = posted(intent(), part, closed(1000, 1), reversing(after_close=True))
    assert [row[3] for row in rows(book)] == [1000, 1000, 1000]
    assert (book.transactions[ID].amount_minor, book.transactions[ID].asked_minor) == (1000, 1234)


@pytest.mark.parametrize("part_minor", [-1, 1234, 5000])
def test_a_part_must_be_one(part_minor: int) -> None:
    with pytest.raises(PostingError, match="part_minor"):
        posted(intent(), replace(approved(), response_code="10", part_minor=part_minor))


def test_a_recalled_transaction_moves_nothing() -> None:
    recalled = Recalled(
        at_ms=4,
        id=ID,
        rrn="000000000001",
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        stan="000001",
        amount_minor=1234,
        currency="156",
        institution="huaxing",
        authorization_code="",
        state=State.SETTLED,
        decided_ms=2,
    )
    book = posted(intent(), approved(), closed(1234, 1))
    before = rows(book)
    post(book, recalled)
    assert rows(book) == before
    assert book.transactions[ID].state is State.SETTLED
    assert needed([recalled]) == (set(), set(), set())


def test_a_tombstone_is_reversed_when_its_last_institution_has_acknowledged() -> None:
    tombstone = Tombstone(
        at_ms=1,
        id=ID,
        rrn="000000000001",
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        stan="000001",
        amount_minor=1234,
        currency="156",
        reason="98",
        institutions=("huaxing", "nanhai"),
    )
    book = posted(tombstone, Reversed(at_ms=2, id=ID, institution="nanhai"))
    assert book.transactions[ID].state is State.REVERSING
    post(book, Reversed(at_ms=3, id=ID, institution="huaxing"))
    assert book.transactions[ID].state is State.REVERSED
    assert book.entries == []


def test_a_reversal_of_an_archived_sale_is_one_compensation() -> None:
    book = posted(intent(), approved(), closed(1234, 1))
    tombstone = Tombstone(
        at_ms=4,
        id=ID,
        rrn="000000000010",
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        stan="000001",
        amount_minor=999,
        currency="156",
        reason="98",
        institutions=("huaxing", "nanhai"),
    )
    post(book, tombstone)
    acknowledged = [Reversed(at_ms=5, id=ID, institution=i) for i in ("huaxing", "nanhai")]
    for record in (*acknowledged, tombstone, *acknowledged):
        post(book, record)
    assert rows(book)[2:] == [("compensation", PAYABLE, RECEIVABLE, 1234)]
    assert book.transactions[ID].state is State.REVERSED


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ((approved(),), "the journal has not begun it"),
        ((intent(), intent()), "begun twice"),
        ((intent(), approved(), approved()), "no move from approved to approved"),
        ((intent(), approved(), reversing(after_close=True)), "reversed after the close by the journal, but approved"),
        ((intent(), approved(), closed(1234, 1), reversing()), "reversed before the close by the journal, but settled"),
        ((intent(), approved(), reversing(), Reversed(at_ms=5, id=ID, institution="nanhai")), "nanhai acknowledged"),
        ((closed(0, 0), closed(0, 0)), "batch 000001 of terminal 10000001: closed twice"),
    ],
)
def test_what_the_books_refuse(records: tuple[Record, ...], reason: str) -> None:
    with pytest.raises(PostingError, match=reason):
        posted(*records)


@pytest.mark.parametrize(("minor", "count"), [(1233, 1), (1234, 2), (0, 0)])
def test_a_close_that_differs_from_the_ledger_names_the_batch(minor: int, count: int) -> None:
    with pytest.raises(PostingError, match="batch 000001 of terminal 10000001: the host closed it with") as caught:
        posted(intent(), approved(), closed(minor, count))
    assert "the ledger holds 1 debits of 1234" in str(caught.value)


def test_the_trace_of_a_sale_reaches_its_settlement() -> None:
    book = posted(intent(), approved(), closed(1234, 1))
    assert book.posted == [
        Posted(SALE_TRACE, EntryKind.CAPTURE, 1, "000000000001"),
        Posted(SALE_TRACE, EntryKind.SETTLEMENT, 1, "000000000001", caused_by=CLOSE_TRACE),
        Posted(CLOSE_TRACE, EntryKind.SETTLEMENT, 1, "000000000009"),
    ]


def test_settlement_follows_the_voucher_numbers() -> None:
    book = posted(intent("000002", 1), intent("000001", 2), approved("000002"), approved("000001"), closed(3, 2))
    assert [e.transaction for e in book.entries if e.kind is EntryKind.SETTLEMENT] == [
        f"{TERMINAL}:{BATCH}:000001",
        f"{TERMINAL}:{BATCH}:000002",
    ]


def test_needed_names_what_the_records_do_not_begin_themselves() -> None:
    other = f"{TERMINAL}:{BATCH}:000002"
    sign_on = SignedOn(
        at_ms=1,
        terminal="10000002",
        merchant=MERCHANT,
        batch="000007",
        operator="01",
        stan="000001",
        rrn="000000000002",
    )
    ids, batches, closing = needed([intent(), approved(), approved("000002"), sign_on, closed(1234, 1)])
    assert ids == {other}
    assert batches == {(TERMINAL, BATCH), ("10000002", "000007")}
    assert closing == {(TERMINAL, BATCH)}


@pytest.mark.parametrize("day", ["", "2026-1-31", "2026-02-30", "20260131xx", "2026/01/31"])
def test_a_day_that_is_none(day: str) -> None:
    assert day_bounds_ms(day) is None


def test_a_day_begins_in_shanghai() -> None:
    bounds = day_bounds_ms("2026-01-31")
    assert bounds is not None
    assert date_time(bounds[0]) == "2026/01/31 00:00:00"
    assert date_time(bounds[1] - 1) == "2026/01/31 23:59:59"
