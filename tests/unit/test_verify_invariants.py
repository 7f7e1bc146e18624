"""The checker itself is checked: a sound world is called sound, and each seeded fault breaks the invariants that are there for it, and no
other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from contracts.authorization import Totals
from contracts.journal import RESTORER, EpochStarted, LateAnswer
from lianji.verify import INVARIANTS
from lianji.verify.acknowledged import Acknowledgement, Holding, Mark
from lianji.verify.invariants.terms import TERM_MS
from lianji.verify.report import SHOWN
from runtime.log import Position, digest
from terminal_sim.entries import CloseEnded, ReversalEnded
from terminal_sim.record import ClosedBatch
from tests.support_verify import (
    AMOUNT,
    BANK,
    BATCH,
    CLOSE,
    COMPENSATED,
    DECLINED,
    OPEN,
    OPEN_BATCH,
    OTHER_BANK,
    REVERSED,
    SETTLED,
    UNKNOWN,
    Sides,
    answered,
    broken,
    closed_at_terminal,
    given_back,
    id_of,
    intent,
    outcome,
    posting,
    results,
    reversed_,
    reversing,
    rrn_of,
    sent,
    tombstone,
)
from world import built_in

replace = msgspec.structs.replace
WORLD = built_in()
ACCOUNT = "huaxing-000001"
TRACE = "1" * 32
MUCH_LATER = EpochStarted(epoch=2, owner="auth-b", at_ms=TERM_MS + 10)
CLOSED_AT_TERMINAL = ClosedBatch(batch=BATCH, stan=CLOSE.stan, rrn=CLOSE.rrn, totals=CLOSE.totals, at_ms=5)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def sound(sides: Sides) -> Sides:
    """With evidence for everything: a snapshot of the bank and acknowledgements."""
    journal, ledger = sides.journal_log(), sides.ledger_log(BANK)
    sides.marks.append(Mark(ledger.name, Position(1, digest(ledger.groups[0])), holdings(sides)))
    sides.acks.append(Acknowledgement(journal.name, 2, digest(journal.groups[1])))
    return sides


def holdings(sides: Sides) -> dict[str, Holding]:
    """The bank's accounts behind the first group of its ledger: two sales."""
    opened = {card.account: Holding(card.opening_minor) for card in WORLD.cards if card.issuer == BANK}
    return opened | {ACCOUNT: Holding(opened[ACCOUNT].balance_minor - 2 * AMOUNT)}


def held_one(sides: Sides) -> dict[str, Holding]:
    """The same, with 1 set aside on an account."""
    right = holdings(sides)
    return right | {ACCOUNT: right[ACCOUNT]._replace(held_minor=1)}


def traced(sides: Sides, stan: str = SETTLED) -> None:
    """The sale's intent names its trace."""
    place = sides.journal.index(intent(stan))
    sides.journal[place] = replace(intent(stan), trace=f"00-{TRACE}-{'2' * 16}-01")


def told(record: str, sequence: int) -> Acknowledgement:
    """The span of an append of that trace."""
    return Acknowledgement("journal.v1.0", sequence, witness="span", record=record, trace=TRACE)


def test_a_sound_world_is_called_sound(sides: Sides) -> None:
    findings = sound(sides).findings()
    assert broken(findings) == set(), findings
    assert list(findings) == [f"I{number}" for number in range(1, 15)]
    assert all(finding.checked for finding in findings.values())
    assert not any(finding.unchecked for finding in findings.values())


Bend = Callable[[Sides], object]

FAULTS: dict[str, tuple[set[str], Bend]] = {
    # I1
    "an entry out of balance": ({"I1"}, lambda s: s.rebook(SETTLED, "capture", AMOUNT, -1)),
    "an entry with one posting": ({"I1"}, lambda s: s.rebook(SETTLED, "capture", AMOUNT)),
    # I2
    "a posting of more than there was": ({"I2", "I5"}, lambda s: s.ledger.append((BANK, posting("000099", 10**12)))),
    "a posting on an account that nobody opened": (
        {"I2"},
        lambda s: s.ledger.__setitem__(3, (BANK, replace(posting(OPEN), account="huaxing-999999"))),
    ),
    "given back to another account": (
        {"I2"},
        lambda s: s.ledger.__setitem__(5, (BANK, replace(given_back(REVERSED), account="huaxing-000002"))),
    ),
    "a bank whose snapshot has another balance": (
        {"I2"},
        lambda s: s.marks.__setitem__(0, replace(s.marks[0], accounts=holdings(s) | {ACCOUNT: Holding(0)})),
    ),
    "a bank whose snapshot holds something": (
        {"I2"},
        lambda s: s.marks.__setitem__(0, replace(s.marks[0], accounts=held_one(s))),
    ),
    "a bank whose snapshot lacks an account": (
        {"I2"},
        lambda s: s.marks.__setitem__(0, replace(s.marks[0], accounts={})),
    ),
    # I3
    "settled twice": ({"I3", "I8"}, lambda s: s.book(SETTLED, "settlement")),
    "never settled": ({"I3", "I8"}, lambda s: s.unbook(SETTLED, "settlement")),
    "settled by another amount": ({"I3"}, lambda s: s.rebook(SETTLED, "settlement", 1, -1)),
    "never captured": ({"I3"}, lambda s: s.unbook(OPEN, "capture")),
    "settled before its batch was closed": ({"I3"}, lambda s: s.book(OPEN, "settlement")),
    "an entry of a kind that nobody knows": ({"I3"}, lambda s: s.book(OPEN, "bonus")),
    "no posting at the bank": ({"I3"}, lambda s: s.ledger.remove((BANK, posting(OPEN)))),
    "another amount at the bank": ({"I3", "I8"}, lambda s: s.ledger.__setitem__(0, (BANK, posting(SETTLED, 1)))),
    "a posting at another bank": (
        {"I3", "I5", "I8"},
        lambda s: s.ledger.__setitem__(0, (OTHER_BANK, replace(posting(SETTLED), account="nanhai-000001"))),
    ),
    # I4
    "settled though reversed before the close": ({"I4"}, lambda s: s.book(REVERSED, "settlement")),
    "compensated though reversed before the close": ({"I4"}, lambda s: s.book(REVERSED, "compensation")),
    "compensated twice": ({"I4"}, lambda s: s.book(COMPENSATED, "compensation")),
    "never compensated": ({"I4"}, lambda s: s.unbook(COMPENSATED, "compensation")),
    "a reversal that undoes half": ({"I4"}, lambda s: s.rebook(REVERSED, "reversal", 1, -1)),
    "half given back": ({"I4", "I5"}, lambda s: s.ledger.__setitem__(5, (BANK, given_back(REVERSED, 1)))),
    "given back twice": ({"I4", "I5", "I7"}, lambda s: s.ledger.append((BANK, given_back(REVERSED)))),
    # I5
    "declined at the terminal, approved in the journal": (
        {"I5", "I9"},
        lambda s: s.memory.__setitem__(1, answered(SETTLED, "51")),
    ),
    "no answer at the terminal, and no reversal kept": ({"I5"}, lambda s: s.memory.remove(answered(SETTLED))),
    "reversed at the terminal, approved in the journal": (
        {"I5"},
        lambda s: s.memory.append(ReversalEnded(batch=OPEN_BATCH, stan=OPEN, response_code="00")),
    ),
    "charged though declined": ({"I5"}, lambda s: s.ledger.__setitem__(4, (BANK, posting(DECLINED)))),
    "charged though nobody asked": ({"I5"}, lambda s: s.ledger.append((BANK, posting("000099")))),
    "booked though declined": ({"I5"}, lambda s: s.book(DECLINED, "capture")),
    "booked for nothing": ({"I5"}, lambda s: s.book("000099", "capture")),
    # I6
    "a batch closed over an intent": (
        {"I6", "I10"},
        lambda s: s.journal.insert(0, replace(intent("000007"), batch=BATCH)),
    ),
    "an intent older than its term": ({"I6", "I10"}, lambda s: s.journal.extend([intent("000007"), MUCH_LATER])),
    "a reversal older than its term": (
        {"I6", "I10"},
        lambda s: s.journal.__setitem__(-1, MUCH_LATER),
    ),
    # I7: a journal that the projections cannot take, either
    "a second word": ({"I7", "I11"}, lambda s: s.journal.append(outcome(SETTLED))),
    "approved after a decline": ({"I7", "I11"}, lambda s: s.journal.append(outcome(DECLINED))),
    "a second intent": ({"I7", "I11"}, lambda s: s.journal.append(intent(OPEN))),
    "an outcome from nowhere": ({"I7", "I11"}, lambda s: s.journal.append(outcome("000099"))),
    "an acknowledgement that nobody asked for": ({"I7", "I11"}, lambda s: s.journal.append(reversed_(OPEN))),
    "a batch closed twice": ({"I7", "I11"}, lambda s: s.journal.append(CLOSE)),
    "a reversal that calls an open batch closed": (
        {"I3", "I4", "I5", "I7", "I10", "I11"},
        lambda s: s.journal.append(reversing(OPEN, after_close=True)),
    ),
    "a chip's results twice": (
        {"I7"},
        lambda s: s.ledger.extend([(BANK, results(DECLINED)), (BANK, results(DECLINED))]),
    ),
    "a chip's results from nowhere": ({"I7"}, lambda s: s.ledger.append((BANK, results("000099")))),
    "posted after the tombstone": ({"I5", "I7"}, lambda s: s.ledger.append((BANK, posting(UNKNOWN)))),
    "posted twice": ({"I3", "I7"}, lambda s: s.ledger.append((BANK, posting(OPEN)))),
    # I8
    "other totals at the terminal": ({"I8"}, lambda s: s.memory.__setitem__(-1, closed_at_terminal(1))),
    "other totals in the journal": (
        {"I8", "I11"},
        lambda s: s.journal.__setitem__(
            s.journal.index(CLOSE), replace(CLOSE, totals=Totals(debit_minor=1, debit_count=1))
        ),
    ),
    "other totals in settlement": ({"I8"}, lambda s: s.settlement.append("UPDATE batches SET debit_minor = 1")),
    "a batch that settlement has not closed": ({"I8"}, lambda s: s.settlement.append("UPDATE batches SET closed = 0")),
    "a batch that settlement closed by itself": (
        {"I8"},
        lambda s: s.settlement.append(f"UPDATE batches SET batch = '{OPEN_BATCH}'"),
    ),
    # I9
    "two answers to one request": ({"I9"}, lambda s: s.memory.insert(2, answered(SETTLED, digest="d2"))),
    "a decline with another code": ({"I9"}, lambda s: s.memory.__setitem__(5, answered(DECLINED, "05"))),
    "another reference number": ({"I9"}, lambda s: s.memory.__setitem__(1, answered(SETTLED, rrn="000000009999"))),
    "another authorization code": (
        {"I9"},
        lambda s: s.memory.__setitem__(1, replace(answered(SETTLED), authorization_code="000009")),
    ),
    # I10
    "an open intent": ({"I10"}, lambda s: s.journal.append(intent("000007"))),
    "a bank that has not acknowledged": ({"I10"}, lambda s: s.journal.remove(reversed_(COMPENSATED))),
    "a tombstone that one bank has not got": ({"I10"}, lambda s: s.journal.remove(reversed_(UNKNOWN, OTHER_BANK))),
    "acknowledged, and not in the bank's ledger": (
        {"I10"},
        lambda s: s.ledger.remove((OTHER_BANK, given_back(UNKNOWN, 0))),
    ),
    "a late tombstone for a decline that no bank has got": ({"I10"}, lambda s: s.journal.append(tombstone(DECLINED))),
    # I11
    "a live row that is not what the journal makes": (
        {"I11"},
        lambda s: s.settlement.append("UPDATE transactions SET trace = 'x'"),
    ),
    "a live row too many": ({"I11"}, lambda s: s.settlement.append("INSERT INTO accounts VALUES ('nobody')")),
    "a live row too few": ({"I11"}, lambda s: s.settlement.append("DELETE FROM accounts WHERE name LIKE 'issuer:%'")),
    "an entry number that was skipped": (
        {"I11"},
        lambda s: s.settlement.append("UPDATE checkpoints SET next_entry = 99"),
    ),
    "a slip that is not what the journal makes": (
        {"I11"},
        lambda s: s.receipts.append("UPDATE slips SET facts = REPLACE(facts, '华星银行', '南海银行')"),
    ),
    "an intent that receipts has forgotten": (
        {"I10", "I11"},
        lambda s: (s.journal.append(intent("000007")), s.receipts.append("DELETE FROM open_intents")),
    ),
    # I12
    "a card number in a file": ({"I12"}, lambda s: (s.directory / "a.log").write_text("card 6291010000000012")),
    # I13
    "an approval that no journal knows": (
        {"I3", "I13"},
        lambda s: s.memory.extend([sent("000099"), answered("000099")]),
    ),
    "a decline that no journal knows": ({"I13"}, lambda s: s.memory.extend([sent("000099"), answered("000099", "51")])),
    "a close that no journal knows": (
        {"I8", "I13"},
        lambda s: s.memory.append(CloseEnded(closed=replace(CLOSED_AT_TERMINAL, batch=OPEN_BATCH))),
    ),
    "an acknowledged group behind the end": (
        {"I13"},
        lambda s: s.acks.append(Acknowledgement("journal.v1.0", 99, "d")),
    ),
    "another group than the acknowledged one": (
        {"I13"},
        lambda s: s.acks.append(Acknowledgement("journal.v1.0", 3, "d")),
    ),
    "a snapshot of another group": (
        {"I13"},
        lambda s: s.marks.append(Mark("journal.v1.0", Position(4, "d"))),
    ),
    "an outcome whose acknowledged group holds others": (
        {"I13"},
        lambda s: (traced(s), s.acks.append(told("outcome", 2))),
    ),
    "an intent whose acknowledged group holds others": (
        {"I13"},
        lambda s: (traced(s), s.acks.append(told("intent", 2))),
    ),
    # I14
    "a slip of another amount": ({"I14"}, lambda s: s.reprint(OPEN, "facts = REPLACE(facts, '1234', '1235')")),
    "a slip of another cryptogram": ({"I14"}, lambda s: s.reprint(OPEN, "facts = REPLACE(facts, '6071', '6072')")),
    "a slip of another card": ({"I14"}, lambda s: s.reprint(OPEN, "facts = REPLACE(facts, '0012', '0013')")),
    "a slip that does not say it was reversed": ({"I14"}, lambda s: s.reprint(REVERSED, "reversed_at_ms = NULL")),
    "a slip that says it was reversed": ({"I14"}, lambda s: s.reprint(OPEN, "reversed_at_ms = 5")),
    "a slip of another group": ({"I14"}, lambda s: s.reprint(OPEN, "sequence = 1")),
    "facts that are none": ({"I14"}, lambda s: s.reprint(OPEN, "facts = '{}'")),
    "no slip": ({"I14"}, lambda s: s.receipts.append(f"DELETE FROM slips WHERE transaction_id = '{id_of(OPEN)}'")),
    "two slips": ({"I14"}, lambda s: s.receipts.append("INSERT INTO slips SELECT * FROM slips LIMIT 1")),
    "a slip for a decline": (
        {"I14"},
        lambda s: s.receipts.append(
            f"INSERT INTO slips SELECT 'r', '{id_of(DECLINED)}', shard, 9, 9, facts, NULL, '' FROM slips LIMIT 1"
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_breaks_its_invariants_and_no_other(sides: Sides, fault: str) -> None:
    expected, bend = FAULTS[fault]
    bend(sound(sides) if expected & {"I2", "I13"} else sides)
    findings = sides.findings()
    # A live table that is bent is not what the journal makes, whatever else is wrong with it.
    expected = expected | {"I11"} if sides.settlement or sides.receipts else expected
    assert broken(findings) == expected, findings
    for name in expected:
        assert findings[name].violations[0].subject
        assert findings[name].violations[0].what


def test_every_invariant_has_a_fault() -> None:
    assert {name for expected, _ in FAULTS.values() for name in expected} == set(INVARIANTS)


def test_the_evidence_names_all_sides(sides: Sides) -> None:
    traced(sides)
    sides.book(SETTLED, "settlement")
    (row,) = sides.findings()["I3"].violations
    assert row.subject == id_of(SETTLED)
    assert row.evidence == {
        "journal": "intent → approved → settled",
        "amount": str(AMOUNT),
        "rrn": rrn_of(SETTLED),
        "response": "00",
        "issuer": f"{BANK} {AMOUNT}: 1 postings, 0 reversals",
        "settlement": f"capture×1 settlement×2 moved {3 * AMOUNT}",
        "slip": f"RRN {rrn_of(SETTLED)}",
        "terminal": f"00 {AMOUNT} RRN {rrn_of(SETTLED)}",
        "trace": TRACE,
    }


def test_a_reversal_that_waits_at_its_terminal_is_not_judged(sides: Sides) -> None:
    """The sale stands at bank and switch, the terminal saw no answer: it keeps the reversal and sends it before the next sale."""
    sides.memory.remove(sent(OPEN))
    sides.memory.remove(answered(OPEN))
    sides.memory.append(sent(OPEN))
    assert broken(sides.findings()) == set()


def test_a_duplicate_s_refusal_says_nothing_of_the_transaction(sides: Sides) -> None:
    """A terminal that has lost its memory uses a number again: 94 is about that, not about the sale that had it first."""
    sides.memory[1] = answered(SETTLED, "94", rrn="000000000000")
    assert broken(sides.findings()) == set()


def test_a_bank_s_late_answer_is_the_outcome_that_a_span_tells_of(sides: Sides) -> None:
    """The switch journals it in the place of an outcome; the path does not move."""
    traced(sides, REVERSED)
    sides.journal.append(LateAnswer(id=id_of(REVERSED), response_code="00", at_ms=9))
    sides.acks.append(told("outcome", (len(sides.journal) + 1) // 2))
    assert broken(sides.findings()) == set()


def test_a_span_of_before_a_restore_is_no_witness_of_what_was_recorded_again(sides: Sides) -> None:
    traced(sides)
    stands = sides.journal.index(outcome(SETTLED))
    sides.journal.insert(stands, EpochStarted(epoch=2, owner=RESTORER, at_ms=2))
    sides.journal.insert(stands + 2, EpochStarted(epoch=3, owner="auth-a", at_ms=2))
    sides.acks.append(told("outcome", 99))
    assert sides.findings()["I13"].held is False, "nobody knows of when it is"
    sides.acks[-1] = replace(told("outcome", 99), at_ms=3)
    assert sides.findings()["I13"].held is False, "it was told of behind the restore"
    for sequence in (1, 99):  # a restored log holds more records in a group, and may be shorter
        sides.acks[-1] = replace(told("outcome", sequence), at_ms=2)
        findings = sides.findings()
        assert findings["I13"].held, findings["I13"]
    sides.journal[stands] = EpochStarted(epoch=2, owner="auth-b", at_ms=2)
    assert sides.findings()["I13"].held is False


def test_a_damaged_log_raises_no_false_alarms(sides: Sides) -> None:
    sides.changed_group = 2
    sides.acks.append(Acknowledgement("journal.v1.0", 3, "d"))
    findings = sides.findings()
    assert broken(findings) == set(INVARIANTS) - {"I1", "I12", "I13"}
    assert findings["I7"].violations[0].what == "journal.v1.0: the hash chain is broken at sequence 3"
    assert findings["I13"].unchecked == ["journal.v1.0: it cannot be read to its end"]
    for name in broken(findings) - {"I7"}:
        (row,) = findings[name].violations
        assert row.what == "not checked: the log cannot be read to its end"


def test_a_log_that_has_lost_its_end_is_held_against_every_witness(sides: Sides) -> None:
    """Settlement has read a group that the journal does not have, and somebody was told of it."""
    sides.settlement.append("UPDATE checkpoints SET sequence = sequence + 1")
    sides.acks.append(Acknowledgement("journal.v1.0", (len(sides.journal) + 1) // 2 + 1, "d"))
    findings = sides.findings()
    assert findings["I7"].violations[0].what == "settlement has read 1 groups that are not in the journal"
    (row,) = findings["I13"].violations
    assert row.what == "was acknowledged and is not there"


def test_many_violations_are_counted_and_few_are_shown(sides: Sides) -> None:
    sides.journal += [intent(f"{number:06d}") for number in range(100, 150)]
    finding = sides.findings()["I10"]
    assert finding.broken == 50
    assert len(finding.violations) == SHOWN


def test_a_card_number_in_the_wrong_place_is_not_shown(sides: Sides) -> None:
    number = "6291010000000012"
    sides.receipts.append(f"UPDATE slips SET rrn = '{number}', facts = '{number}'")
    sides.settlement.append(f"UPDATE transactions SET trace = '{number}'")
    findings = sides.findings()
    assert broken(findings) >= {"I11", "I12", "I14"}
    assert number not in msgspec.json.encode(findings).decode()
    assert "629101******0012" in msgspec.json.encode(findings["I11"]).decode()


def test_what_was_not_given_is_not_called_checked(sides: Sides) -> None:
    sides.rebuild = {}
    findings = sides.findings()
    assert [bool(findings[name].unchecked) for name in ("I2", "I11", "I14")] == [True, True, False]
