"""What each journal record posts, and what the books refuse."""

from __future__ import annotations

import pytest

from contracts.authorization import Totals
from contracts.journal import BatchClosed, Intent, Outcome, Record, Reversed, Reversing, SignedOn, Tombstone
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.states import State
from settlement.domain.book import Book
from settlement.domain.days import date_time, day_bounds_ms
from settlement.domain.ledger import EntryKind, Posted, PostingError
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
