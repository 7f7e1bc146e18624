"""The checker itself is checked for every kind of transaction: a sound world of all of them is called sound, and each way to damage its
books breaks the invariants that are there for it, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.authorization import Totals
from contracts.journal import Advised, EpochStarted, Recalled, Record, StoodIn
from contracts.kinds import Kind
from contracts.ledger import LedgerRecord, Refusal
from contracts.money import CNY
from contracts.states import State
from lianji.verify.dues import CLEARED
from lianji.verify.facts import Facts
from lianji.verify.invariants.terms import TERM_MS
from tests import support_verify_kinds as kinds
from tests.support_verify import BANK, FOREIGN_BANK, MERCHANT, OPEN_BATCH, OTHER_BANK, Sides, broken
from tests.support_verify_kinds import (
    ALL,
    CLOSE,
    ENDED,
    FREED,
    FREEING,
    HELD,
    HELD_AGAIN,
    LET_GO,
    LONELY,
    NOTE,
    OFFLINE,
    PART,
    REFUND,
    REFUNDED,
    SALE,
    SPREAD,
    STOOD,
    TAKEN_BACK,
    TERM_ENDS_MS,
    TRANSFER,
    UNCOMPLETED,
    UNVOIDED,
    VOID,
    WITHIN,
    One,
    begun,
    given,
    posted,
    recalled,
    said,
    taken_again,
    told,
    told_of,
    undoing,
    undone,
)

replace = msgspec.structs.replace


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return kinds.sides(tmp_path)


def test_a_sound_world_of_all_kinds_is_called_sound(sides: Sides) -> None:
    assert {one.kind for one in ALL.values()} == set(Kind)
    findings = sides.findings()
    assert broken(findings) == set(), told_of(findings)


def abroad(sides: Sides, billed_minor: int) -> None:
    """A sale with a card of a bank whose accounts are in another currency, and what it has booked of it."""
    rewrite(sides, begun(HELD), begun(HELD, institution=FOREIGN_BANK))
    lose(sides, posted(HELD))
    held = posted(HELD, account="meridian-000001", held_minor=billed_minor, currency="344")
    sides.ledger.append((FOREIGN_BANK, held))


def test_a_bank_books_in_its_own_currency(sides: Sides) -> None:
    abroad(sides, HELD.minor * 1_085_000 // 1_000_000 + 1)
    assert broken(sides.findings()) == set()


def refunded_abroad(sides: Sides, first: tuple[int, int], second: tuple[int, int]) -> None:
    """A sale and its two refunds with a card of such a bank: of each refund what was given, and what was asked for as the bank says."""
    for one, amount_minor, asked_minor in (
        (REFUNDED, 3255, 0),
        (REFUND, -first[0], first[1]),
        (kinds.LAST_REFUND, -second[0], second[1]),
    ):
        rewrite(sides, begun(one), begun(one, institution=FOREIGN_BANK))
        lose(sides, posted(one))
        booked = posted(one, account="meridian-000001", amount_minor=amount_minor, currency="344")
        original = REFUNDED.id if one.original else ""
        sides.ledger.append((FOREIGN_BANK, replace(booked, original=original, asked_minor=asked_minor)))
    for taken_minor in (0, REFUND.minor):
        rewrite(sides, recalled(REFUNDED, taken_minor), recalled(REFUNDED, taken_minor, institution=FOREIGN_BANK))


@pytest.mark.parametrize(
    ("first", "second", "breaks"),
    [
        ((1085, 1000), (2170, 2000), set()),
        ((1085, 0), (2170, 2000), set()),
        ((1085, 0), (2170, 0), set()),
        ((1086, 1000), (2169, 2000), {"I3"}),
        ((1085, 1000), (2171, 2000), {"I3", "I7"}),
        ((1085, 1000), (2169, 2000), {"I3"}),
        ((1080, 995), (2175, 2005), {"I3"}),
        ((1085, 0), (2171, 0), {"I3", "I7"}),
    ],
    ids=[
        "as due",
        "then as due",
        "from before",
        "too much",
        "more than taken",
        "too little",
        "asked for other",
        "old, too much",
    ],
)
def test_parts_are_given_back_abroad_as_due(
    sides: Sides, first: tuple[int, int], second: tuple[int, int], breaks: set[str]
) -> None:
    refunded_abroad(sides, first, second)
    findings = sides.findings()
    assert broken(findings) == breaks, told_of(findings)


@pytest.mark.parametrize(
    ("asked", "posted", "cleared"), [(100, -108, -100), (100, -109, -109), (0, -109, -100), (0, -108, -108)]
)
def test_a_part_given_back_abroad_counts_in_its_batch_by_what_was_asked_for(
    asked: int, posted: int, cleared: int
) -> None:
    """The second of two parts of 1.00, which came to 1.09 and 1.08; without its word it would have to be 1.09."""
    row = (
        "(SELECT 100 AS amount_minor, -1 AS charge, 1 AS told) t, (SELECT 1085000 AS rate_millionths) r, "
        f"(SELECT 1 AS postings, {asked} AS asked_minor, 108 AS share_minor, {posted} AS posted_minor) c"
    )
    assert Facts().count(f"SELECT {CLEARED} FROM {row}") == cleared


def test_what_was_recalled_says_what_was_asked_for_or_nothing_of_it(sides: Sides) -> None:
    """Of a part, more than was approved; nothing, as of a ledger that did not keep it yet."""
    sides.journal.append(recalled(PART, 0))
    forget_refund(sides, asked_minor=0)
    findings = sides.findings()
    assert broken(findings) == set(), told_of(findings)


def test_a_hold_whose_term_is_over_need_not_stand_again(sides: Sides) -> None:
    """A bank that has filed the batch of its completion away knows of it no more; there is nothing to set aside either."""
    late = undone(UNCOMPLETED, restores="", restored_minor=0, at_ms=TERM_ENDS_MS)
    swap(sides, undone(UNCOMPLETED), late)
    findings = sides.findings()
    assert "I4" not in broken(findings), told_of(findings)
    assert "I5" not in broken(findings), told_of(findings)


def test_an_original_may_be_reversed_behind_the_claims_on_it(sides: Sides) -> None:
    """As an upload does with what the terminal does not hold: void and sale in one group, and the bank is told in that order."""
    claim(sides, VOIDED_AGAIN)
    sides.journal += [undoing(VOIDED_AGAIN), undoing(STOOD), *told(VOIDED_AGAIN), *told(STOOD)]
    sides.ledger += [(BANK, undone(VOIDED_AGAIN)), (BANK, undone(STOOD))]
    assert broken(sides.findings()) == set()


def stand_in(sides: Sides, *, advised: bool = True, booked: bool = True) -> None:
    """The last sale was approved in its bank's stead."""
    stood = replace(said(STOOD), stand_in=StoodIn(card=begun(STOOD).card, entry_mode="021"))
    rewrite(sides, said(STOOD), stood)
    sides.journal.remove(begun(UNVOIDED))
    sides.journal.remove(said(UNVOIDED))
    sides.journal.remove(undoing(UNVOIDED))
    for record in told(UNVOIDED):
        sides.journal.remove(record)
    for record in (posted(UNVOIDED), undone(UNVOIDED)):
        lose(sides, record)
    if advised:
        code = "00" if booked else "14"
        sides.journal.append(Advised(id=STOOD.id, institution=BANK, response_code=code, at_ms=3))
    if booked:
        swap(sides, posted(STOOD), posted(STOOD, forced=True))
    else:
        lose(sides, posted(STOOD))


@pytest.mark.parametrize(
    ("advised", "booked", "breaks"),
    [(True, True, set()), (False, False, {"I10"}), (False, True, {"I10"}), (True, False, {"I3"})],
    ids=["told", "not told yet", "acknowledgement not written", "refused"],
)
def test_what_was_approved_in_a_bank_s_stead(sides: Sides, advised: bool, booked: bool, breaks: set[str]) -> None:
    stand_in(sides, advised=advised, booked=booked)
    findings = sides.findings()
    assert broken(findings) == breaks, told_of(findings)


def test_what_was_reversed_before_its_bank_was_told_of_it(sides: Sides) -> None:
    stand_in(sides, advised=False, booked=False)
    sides.journal += [undoing(STOOD), *told(STOOD)]
    sides.ledger.append((BANK, replace(undone(STOOD), account="", amount_minor=0)))
    findings = sides.findings()
    assert broken(findings) == set(), told_of(findings)


def test_what_was_settled_and_reversed_before_its_bank_was_told_of_it(sides: Sides) -> None:
    """Seed 102: the bank has neither posted nor given back, and the batch was cleared all the same."""
    for refund in (REFUND, kinds.LAST_REFUND):
        sides.journal.remove(begun(refund))
        sides.journal.remove(said(refund))
        lose(sides, posted(refund))
    sides.journal[:] = [one for one in sides.journal if not (isinstance(one, Recalled) and one.id == REFUNDED.id)]
    rewrite(
        sides, said(REFUNDED), replace(said(REFUNDED), stand_in=StoodIn(card=begun(REFUNDED).card, entry_mode="021"))
    )
    lose(sides, posted(REFUNDED))
    sides.journal += [undoing(REFUNDED, after_close=True), *told(REFUNDED)]
    sides.ledger.append((BANK, replace(undone(REFUNDED), account="", amount_minor=0)))
    findings = sides.findings()
    assert broken(findings) == set(), told_of(findings)


def test_a_notice_that_its_bank_has_yet_to_be_told(sides: Sides) -> None:
    """Of a completion: until then the hold stands at the bank, and that is no difference."""
    rewrite(sides, said(NOTE), replace(said(NOTE), stand_in=StoodIn(card=begun(NOTE).card, entry_mode="021")))
    lose(sides, posted(NOTE))
    findings = sides.findings()
    assert broken(findings) == {"I10"}, told_of(findings)
    sides.journal.append(Advised(id=NOTE.id, institution=BANK, response_code="00", at_ms=3))
    sides.ledger.append((BANK, posted(NOTE)))
    findings = sides.findings()
    assert broken(findings) == set(), told_of(findings)


def test_an_acknowledgement_of_no_advice_is_illegal(sides: Sides) -> None:
    sides.journal.append(Advised(id=STOOD.id, institution=BANK, response_code="00", at_ms=3))
    assert broken(sides.findings()) == {"I7"}


def swap(sides: Sides, old: LedgerRecord, new: LedgerRecord, *, bank: str = BANK) -> None:
    """A bank's record in the place of another."""
    sides.ledger[sides.ledger.index((bank, old))] = (bank, new)


def lose(sides: Sides, record: LedgerRecord, *, bank: str = BANK) -> None:
    sides.ledger.remove((bank, record))


def rewrite(sides: Sides, old: Record, new: Record) -> None:
    sides.journal[sides.journal.index(old)] = new


def payable_the_wrong_way(one: One) -> str:
    entries = f"SELECT id FROM entries WHERE transaction_id = '{one.id}' AND entry_kind = 'settlement'"
    return f"UPDATE postings SET amount_minor = -amount_minor WHERE entry IN ({entries})"


LATE = TERM_ENDS_MS + TERM_MS + 1
MUCH_MORE = EpochStarted(epoch=2, owner="auth-b", at_ms=7)
"""So that what follows does not stand in the group of what was before."""
MUCH_LATER = Refusal(id="x:000001:000001", response_code="14", at_ms=LATE)

Bend = Callable[[Sides], object]

BANKS: dict[str, tuple[set[str], Bend]] = {
    # I2
    "a hold of more than there was": (
        {"I2", "I3"},
        lambda s: swap(s, posted(HELD), posted(HELD, held_minor=10**12)),
    ),
    "a plain sale of an account that a notice has overdrawn": (
        {"I2"},
        lambda s: claim(s, SALE._replace(stan="000050", batch=OPEN_BATCH)),
    ),
    "forced, and no notice": ({"I2"}, lambda s: swap(s, posted(STOOD), posted(STOOD, forced=True))),
    "a notice that was not forced": ({"I2"}, lambda s: swap(s, posted(OFFLINE), posted(OFFLINE, forced=False))),
    "given back to another account": (
        {"I2"},
        lambda s: swap(s, undone(UNVOIDED), undone(UNVOIDED, account="huaxing-000002")),
    ),
    # I3
    "a void that gives nothing back": (
        {"I3", "I8"},
        lambda s: swap(s, posted(VOID), posted(VOID, amount_minor=0)),
    ),
    "a void that takes": ({"I3", "I8"}, lambda s: swap(s, posted(VOID), posted(VOID, amount_minor=VOID.minor))),
    "a refund that the bank has not booked": ({"I3"}, lambda s: lose(s, posted(REFUND))),
    "a pre-authorization that takes": (
        {"I3"},
        lambda s: swap(s, posted(HELD), posted(HELD, amount_minor=HELD.minor, held_minor=0)),
    ),
    "a pre-authorization that holds half": ({"I3"}, lambda s: swap(s, posted(HELD), posted(HELD, held_minor=1))),
    "a pre-authorization that the bank has not booked": ({"I3"}, lambda s: lose(s, posted(HELD))),
    "a hold that its completion does not end": (
        {"I3"},
        lambda s: swap(s, posted(NOTE), posted(NOTE, releases="", released_minor=0)),
    ),
    "a pre-authorization's void that ends nothing": (
        {"I3"},
        lambda s: swap(s, posted(FREEING), posted(FREEING, releases="", released_minor=0)),
    ),
    "a void of a pre-authorization that gives money": (
        {"I3"},
        lambda s: swap(s, posted(FREEING), posted(FREEING, amount_minor=-FREED.minor)),
    ),
    "half a transfer is missing": ({"I3"}, lambda s: lose(s, given(TRANSFER), bank=OTHER_BANK)),
    "the other half of a transfer is missing": ({"I3"}, lambda s: lose(s, posted(TRANSFER))),
    "half a transfer within a bank is missing": ({"I3"}, lambda s: lose(s, given(WITHIN))),
    "a transfer gives more than it takes": (
        {"I3"},
        lambda s: swap(s, given(TRANSFER), replace(given(TRANSFER), amount_minor=-TRANSFER.minor - 1), bank=OTHER_BANK),
    ),
    "a question that takes": (
        {"I3"},
        lambda s: swap(s, posted(kinds.BALANCE), posted(kinds.BALANCE, amount_minor=1)),
    ),
    "a part that takes the whole": (
        {"I3", "I8"},
        lambda s: swap(s, posted(PART), posted(PART, amount_minor=PART.minor)),
    ),
    "a part that does not say of what": ({"I3"}, lambda s: swap(s, posted(PART), posted(PART, part_of_minor=0))),
    "held abroad at another rate": ({"I3"}, lambda s: abroad(s, HELD.minor)),
    # I4
    "a hold that is not let go": ({"I4", "I5"}, lambda s: swap(s, undone(LET_GO), undone(LET_GO, held_minor=0))),
    "a hold that does not stand again": (
        {"I4", "I5"},
        lambda s: swap(s, undone(UNCOMPLETED), undone(UNCOMPLETED, restores="", restored_minor=0)),
    ),
    "half a transfer that is not taken back": (
        {"I4", "I5", "I10"},
        lambda s: lose(s, taken_again(TAKEN_BACK), bank=OTHER_BANK),
    ),
    "the reversal of a void that takes nothing": (
        {"I4", "I5"},
        lambda s: swap(s, undone(UNVOIDED), undone(UNVOIDED, amount_minor=0)),
    ),
    # I5
    "half a transfer left standing": ({"I5", "I10"}, lambda s: lose(s, undone(LONELY))),
    "given, though the transfer does not stand": (
        {"I5", "I7"},
        lambda s: s.ledger.append((OTHER_BANK, given(LONELY))),
    ),
    "held, though nobody asked": (
        {"I5"},
        lambda s: s.ledger.insert(0, (BANK, replace(posted(HELD), id="10000001:000002:000099"))),
    ),
    # I6
    "a hold longer than its term": (
        {"I6"},
        lambda s: (lose(s, ENDED), s.ledger.append((BANK, MUCH_LATER))),
    ),
    "a hold without a term": ({"I6"}, lambda s: swap(s, posted(HELD), posted(HELD, expires_ms=-TERM_MS))),
    # I7
    "a hold that ran out before its term": ({"I7"}, lambda s: swap(s, ENDED, replace(ENDED, at_ms=TERM_ENDS_MS - 1))),
    "a hold that ran out twice": ({"I7"}, lambda s: s.ledger.append((BANK, ENDED))),
    "the hold of another account is ended": (
        {"I2", "I7"},
        lambda s: swap(s, posted(NOTE), posted(NOTE, account="huaxing-000002")),
    ),
    "less of a hold is ended than it was": (
        {"I2", "I7"},
        lambda s: swap(s, posted(NOTE), posted(NOTE, released_minor=1)),
    ),
    "a second half of a sale": (
        {"I5", "I7"},
        lambda s: s.ledger.append((BANK, posted(STOOD, amount_minor=-STOOD.minor, incoming=True))),
    ),
    "a sale that was refused after it was posted": (
        {"I7"},
        lambda s: s.ledger.append((BANK, Refusal(id=STOOD.id, response_code="51", at_ms=2))),
    ),
    "a second half that was posted twice": (
        {"I3", "I7"},
        lambda s: s.ledger.append((OTHER_BANK, given(TRANSFER))),
    ),
}

SECOND_VOID = One("000041", Kind.VOID, SALE.minor, SALE.stan)
SOLD = One("000042", Kind.SALE, 77)
HALF_VOID = One("000043", Kind.VOID, 70, SOLD.stan)
MORE = REFUND._replace(stan="000052", minor=1)
COMPLETE = One("000053", Kind.COMPLETION_ADVICE, 10, HELD_AGAIN.stan, OPEN_BATCH)
RELEASE = One("000054", Kind.PRE_AUTH_VOID, HELD_AGAIN.minor, HELD_AGAIN.stan, OPEN_BATCH)
TOO_LATE = One("000055", Kind.VOID, REFUNDED.minor, REFUNDED.stan, OPEN_BATCH)
OVER = One("000056", Kind.COMPLETION_ADVICE, HELD.minor * 115 // 100 + 1, HELD.stan, OPEN_BATCH)
GIVE_BACK = One("000057", Kind.REFUND, STOOD.minor, STOOD.stan, OPEN_BATCH)
VOIDED_AGAIN = One("000058", Kind.VOID, STOOD.minor, STOOD.stan, OPEN_BATCH)


def claim(sides: Sides, one: One, **more: Any) -> Sides:
    """Approved by journal and bank, in the open batch."""
    sides.journal += [begun(one, **more), said(one)]
    sides.ledger.append((BANK, posted(one)))
    return sides


def in_closed_batch(sides: Sides, *ones: One) -> None:
    """Approved by all before the batch was closed, and counted."""
    place = sides.journal.index(CLOSE)
    sides.journal[place:place] = [record for one in ones for record in (begun(one), said(one))]
    sides.ledger[:0] = [(BANK, posted(one)) for one in ones]
    extra = kinds.totals(ones)
    counted = [getattr(CLOSE.totals, name) + getattr(extra, name) for name in Totals.__struct_fields__]
    rewrite(sides, CLOSE, replace(CLOSE, totals=Totals(**dict(zip(Totals.__struct_fields__, counted, strict=True)))))


def undo(sides: Sides, one: One) -> None:
    """Reversed by journal and bank."""
    sides.journal += [undoing(one), *told(one)]
    sides.ledger.append((BANK, undone(one)))


def forget_refund(sides: Sides, **more: Any) -> None:
    known = recalled(REFUNDED, REFUND.minor)
    rewrite(sides, known, replace(known, **more))


CLAIMS: dict[str, tuple[set[str], Bend]] = {
    "voided twice": ({"I7"}, lambda s: in_closed_batch(s, SECOND_VOID)),
    "a void of a part": ({"I7"}, lambda s: in_closed_batch(s, SOLD, HALF_VOID)),
    "a void of a closed batch": ({"I7"}, lambda s: claim(s, TOO_LATE)),
    "a void of a void": ({"I7"}, lambda s: in_closed_batch(s, SECOND_VOID._replace(original=VOID.stan))),
    "refunded by more than it was": ({"I7"}, lambda s: claim(s, MORE)),
    "completed twice": ({"I2", "I7"}, lambda s: claim(claim(s, COMPLETE), COMPLETE._replace(stan="000059"))),
    "released though completed": ({"I2", "I7"}, lambda s: claim(claim(s, COMPLETE), RELEASE)),
    "completed by more than may be": ({"I7"}, lambda s: claim(s, OVER)),
    "about nothing": ({"I3", "I7"}, lambda s: claim(s, COMPLETE, original="", original_rrn="")),
    "about what no journal holds": (
        {"I3", "I7"},
        lambda s: claim(s, COMPLETE, original="10000001:000001:009999"),
    ),
    "about another merchant's sale": ({"I7"}, lambda s: claim(s, GIVE_BACK, merchant=MERCHANT[::-1])),
    "about something else of another currency": ({"I7"}, lambda s: claim(s, GIVE_BACK, currency="840")),
    "a sale about a sale": (
        {"I7"},
        lambda s: rewrite(s, begun(STOOD), begun(STOOD, original=SALE.id)),
    ),
    "voided though refunded": ({"I7"}, lambda s: claim(claim(s, GIVE_BACK), VOIDED_AGAIN)),
    "refunded though voided": ({"I7"}, lambda s: claim(claim(s, VOIDED_AGAIN), GIVE_BACK)),
    "reversed though voided": (
        {"I7"},
        lambda s: undo(claim(s, VOIDED_AGAIN), STOOD),
    ),
    "refused by its bank, and should never have been asked": (
        {"I7"},
        lambda s: s.journal.extend([begun(MORE), MUCH_MORE, said(MORE, "12")]),
    ),
    "an illegal claim that was reversed for want of an answer": (
        {"I7", "I10"},
        lambda s: s.journal.extend([begun(MORE), MUCH_MORE, undoing(MORE, "68")]),
    ),
    "recalled, and no journal holds it": ({"I7"}, lambda s: s.journal.append(recalled(SOLD, 0))),
    "recalled of an open batch": ({"I7"}, lambda s: s.journal.append(recalled(STOOD, 0))),
    "recalled with less taken": ({"I7"}, lambda s: forget_refund(s, taken_minor=0)),
    "recalled as spent": ({"I7"}, lambda s: forget_refund(s, spent=True)),
    "recalled by another amount": ({"I7"}, lambda s: forget_refund(s, amount_minor=1)),
    "recalled as of another request": ({"I7"}, lambda s: forget_refund(s, asked_minor=REFUNDED.minor + 1)),
    "recalled with the part as what was asked for": (
        {"I7"},
        lambda s: s.journal.append(recalled(PART, 0, asked_minor=PART.part)),
    ),
    "recalled in another state": ({"I7"}, lambda s: forget_refund(s, state=State.APPROVED)),
    "recalled from another bank": ({"I7"}, lambda s: forget_refund(s, institution=OTHER_BANK)),
    # parts
    "no part, and yet 10": (
        {"I3", "I7", "I8", "I11"},
        lambda s: rewrite(s, said(PART), replace(said(PART), part_minor=0)),
    ),
}
"""I7, and whatever comes of it."""

BOOKS: dict[str, tuple[set[str], Bend]] = {
    "a void is paid out": ({"I3"}, lambda s: s.settlement.append(payable_the_wrong_way(VOID))),
    "a sale is taken from its merchant": ({"I3"}, lambda s: s.settlement.append(payable_the_wrong_way(REFUNDED))),
    "a hold is booked": ({"I3"}, lambda s: book(s, HELD, "capture")),
    "a hold is settled": ({"I3"}, lambda s: book(s, FREED, "settlement")),
    "a transfer is settled": ({"I3"}, lambda s: book(s, TRANSFER, "settlement")),
    "a transfer within a bank is booked": ({"I3"}, lambda s: book(s, WITHIN, "capture")),
    "a question is booked": ({"I3"}, lambda s: book(s, kinds.BALANCE, "capture")),
    "a part is settled in full": ({"I3"}, lambda s: s.settlement.append(settled_by(PART, PART.minor))),
    "other credits in settlement": ({"I8"}, lambda s: s.settlement.append("UPDATE batches SET credit_minor = 1")),
    "a credit counts as a debit": (
        {"I8", "I11"},
        lambda s: rewrite(s, CLOSE, replace(CLOSE, totals=wrong_side(CLOSE.totals))),
    ),
    "a slip of a question": ({"I14"}, lambda s: s.receipts.append(slip_of(kinds.BALANCE))),
    "a refund without a slip": ({"I14"}, lambda s: s.receipts.append(delete_slip(REFUND))),
    "a void that marks another sale": ({"I14"}, lambda s: reprint(s, VOID, "voids = 'x'")),
    "a refund that marks its sale as void": ({"I14"}, lambda s: reprint(s, REFUND, f"voids = '{REFUNDED.id}'")),
    "a slip of the whole of a part": ({"I14"}, lambda s: reprint(s, PART, "facts = REPLACE(facts, '600', '1000')")),
    "a slip of another original": (
        {"I14"},
        lambda s: reprint(s, REFUND, f"facts = REPLACE(facts, '{REFUNDED.id}', '{SALE.id}')"),
    ),
    "a slip of other terms": ({"I14"}, lambda s: reprint(s, SPREAD, "facts = REPLACE(facts, '86', '87')")),
    "a slip of another card that was given": (
        {"I14"},
        lambda s: reprint(s, TRANSFER, "facts = REPLACE(facts, '0020', '0021')"),
    ),
}


def book(sides: Sides, one: One, kind: str) -> None:
    """An entry more."""
    number = 1000 + len(sides.settlement)
    sides.settlement.append(f"INSERT INTO entries VALUES ({number}, '0', '{one.id}', '{kind}', 1)")
    for place, amount in enumerate((one.minor, -one.minor)):
        sides.settlement.append(f"INSERT INTO postings VALUES ({number}, 'account {place}', '{CNY}', {amount})")


def settled_by(one: One, minor: int) -> str:
    entries = f"SELECT id FROM entries WHERE transaction_id = '{one.id}' AND entry_kind = 'settlement'"
    return f"UPDATE postings SET amount_minor = {minor} * amount_minor / {one.worth} WHERE entry IN ({entries})"


def wrong_side(totals: Totals) -> Totals:
    return Totals(
        debit_minor=totals.debit_minor + totals.credit_minor,
        debit_count=totals.debit_count + totals.credit_count,
    )


def reprint(sides: Sides, one: One, assignment: str) -> None:
    sides.receipts.append(f"UPDATE slips SET {assignment} WHERE transaction_id = '{one.id}'")


def slip_of(one: One) -> str:
    return f"INSERT INTO slips SELECT 'r', '{one.id}', shard, 9, 9, facts, NULL, '' FROM slips LIMIT 1"


def delete_slip(one: One) -> str:
    return f"DELETE FROM slips WHERE transaction_id = '{one.id}'"


FAULTS = BANKS | CLAIMS | BOOKS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_its_invariants_and_no_other(sides: Sides, fault: str) -> None:
    expected, bend = FAULTS[fault]
    bend(sides)
    findings = sides.findings()
    # A live table that is bent is not what the journal makes, whatever else is wrong with it.
    expected = expected | {"I11"} if sides.settlement or sides.receipts else expected
    assert broken(findings) == expected, told_of(findings)
