"""The checker itself is checked: a sound world is called sound, and each seeded fault breaks the invariant that is there for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from contracts.authorization import Totals
from contracts.codec import encode_stored
from contracts.journal import BatchClosed, Intent, Outcome, Record, Reversed, Reversing, Tombstone
from contracts.kinds import Kind
from contracts.ledger import LedgerRecord, Posting, Refusal, ReversalPosting
from contracts.money import CNY
from contracts.pan import MaskedCard
from contracts.states import State
from lianji.scan.detector import Detector
from lianji.scan.everywhere import search_directory
from lianji.scan.report import Report
from lianji.scan.wanted import wanted
from lianji.verify import INVARIANTS, Finding, Sources, check, gather
from lianji.verify.report import SHOWN
from lianji.verify.sources import Progress, memories
from runtime.log import Group, digest
from runtime.memory_log import MemoryLog
from runtime.sql import open_engine
from terminal_sim.memory import TerminalMemory
from terminal_sim.record import Answered, ReversalEnded, Sent, Transaction
from world import built_in

TERMINAL, MERCHANT, BATCH, OPEN_BATCH = "10000001", "482290058130001", "000001", "000002"
BANK, OTHER_BANK = "huaxing", "nanhai"
AMOUNT = 1234
SETTLED, OPEN, DECLINED, REVERSED, COMPENSATED, UNKNOWN = "000001", "000002", "000003", "000004", "000005", "000006"
"""The transactions of the sound world, by trace number."""


def id_of(stan: str) -> str:
    return f"{TERMINAL}:{batch_of(stan)}:{stan}"


def batch_of(stan: str) -> str:
    return OPEN_BATCH if stan == OPEN else BATCH


def rrn_of(stan: str) -> str:
    return f"00000000{stan[-4:]}"


def intent(stan: str) -> Intent:
    return Intent(
        id=id_of(stan),
        rrn=rrn_of(stan),
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=batch_of(stan),
        stan=stan,
        operator="001",
        amount_minor=AMOUNT,
        currency=CNY,
        institution=BANK,
        entry_mode="021",
        card=MaskedCard(first6="629101", last4="0012", length=16, digest="0" * 32),
        fingerprint="f",
        at_ms=1,
    )


def outcome(stan: str, code: str = "00") -> Outcome:
    state = State.APPROVED if code == "00" else State.DECLINED
    return Outcome(id=id_of(stan), state=state, response_code=code, at_ms=2)


def reversing(stan: str, *, after_close: bool = False) -> Reversing:
    return Reversing(id=id_of(stan), reason="98", origin="terminal", after_close=after_close, at_ms=3)


def reversed_(stan: str, institution: str = BANK) -> Reversed:
    return Reversed(id=id_of(stan), institution=institution, at_ms=4)


def tombstone(stan: str) -> Tombstone:
    return Tombstone(
        id=id_of(stan),
        rrn=rrn_of(stan),
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=batch_of(stan),
        stan=stan,
        amount_minor=AMOUNT,
        currency=CNY,
        reason="98",
        institutions=(BANK, OTHER_BANK),
        at_ms=3,
    )


CLOSE = BatchClosed(
    terminal=TERMINAL,
    merchant=MERCHANT,
    batch=BATCH,
    next_batch=OPEN_BATCH,
    operator="001",
    stan="000090",
    rrn="000000000090",
    currency=CNY,
    totals=Totals(debit_minor=2 * AMOUNT, debit_count=2),
    at_ms=5,
)


def posting(stan: str, amount_minor: int = AMOUNT) -> Posting:
    return Posting(
        id=id_of(stan),
        account="huaxing-000001",
        amount_minor=amount_minor,
        currency=CNY,
        authorization_code="000001",
        at_ms=2,
    )


def refusal(stan: str) -> Refusal:
    return Refusal(id=id_of(stan), response_code="51", at_ms=2)


def given_back(stan: str, amount_minor: int = AMOUNT) -> ReversalPosting:
    return ReversalPosting(
        id=id_of(stan), account="huaxing-000001", amount_minor=amount_minor, currency=CNY, reason="98", at_ms=4
    )


Entry = tuple[str, str, tuple[int, ...]]
"""Transaction's trace number, entry kind, its postings."""


def entry(stan: str, kind: str, *amounts: int) -> Entry:
    return stan, kind, amounts or (AMOUNT, -AMOUNT)


def sent(stan: str) -> Sent:
    return Sent(
        transaction=Transaction(
            batch=batch_of(stan),
            stan=stan,
            kind=Kind.SALE,
            amount_minor=AMOUNT,
            currency=CNY,
            card="629101******0012",
            entry_mode="021",
            at_ms=1,
        )
    )


def answered(stan: str, code: str = "00", *, digest: str = "d1", rrn: str = "") -> Answered:
    return Answered(
        batch=batch_of(stan),
        stan=stan,
        response_code=code,
        rrn=rrn or rrn_of(stan),
        authorization_code="",
        digest=digest,
    )


def log_of(name: str, records: Sequence[Record | LedgerRecord]) -> MemoryLog:
    """The records in a log, two to a group."""
    log = MemoryLog(name)
    for start in range(0, len(records), 2):
        before = digest(log.groups[-1]) if log.groups else ""
        raws = [msgspec.Raw(encode_stored(record)) for record in records[start : start + 2]]
        group = Group(log=name, epoch=1, number=len(log.groups) + 1, prev=before, records=raws)
        log.groups.append(msgspec.json.encode(group))
    return log


async def verified(sources: Sources) -> dict[str, Finding]:
    return check(await gather(sources))


@dataclass
class Sides:
    """A world as its four sides tell it; sound until a test bends it."""

    directory: Path
    journal: list[Record] = field(
        default_factory=lambda: [
            *(record for stan in (SETTLED, COMPENSATED) for record in (intent(stan), outcome(stan))),
            *(intent(DECLINED), outcome(DECLINED, "51")),
            *(intent(REVERSED), outcome(REVERSED), reversing(REVERSED), reversed_(REVERSED)),
            *(tombstone(UNKNOWN), reversed_(UNKNOWN, OTHER_BANK), reversed_(UNKNOWN)),
            CLOSE,
            *(intent(OPEN), outcome(OPEN)),
            *(reversing(COMPENSATED, after_close=True), reversed_(COMPENSATED)),
        ]
    )
    ledger: list[tuple[str, LedgerRecord]] = field(
        default_factory=lambda: [
            *((BANK, posting(stan)) for stan in (SETTLED, COMPENSATED, REVERSED, OPEN)),
            (BANK, refusal(DECLINED)),
            *((BANK, given_back(stan)) for stan in (REVERSED, COMPENSATED)),
            *((bank, given_back(UNKNOWN, 0)) for bank in (BANK, OTHER_BANK)),
        ]
    )
    entries: list[Entry] = field(
        default_factory=lambda: [
            *(entry(stan, "capture") for stan in (SETTLED, COMPENSATED, REVERSED, OPEN)),
            entry(REVERSED, "reversal"),
            *(entry(stan, "settlement") for stan in (SETTLED, COMPENSATED)),
            entry(COMPENSATED, "compensation"),
        ]
    )
    memory: list[Sent | Answered | ReversalEnded] = field(
        default_factory=lambda: [
            *(step for stan in (SETTLED, OPEN) for step in (sent(stan), answered(stan))),
            *(sent(DECLINED), answered(DECLINED, "51")),
            *(sent(REVERSED), ReversalEnded(batch=BATCH, stan=REVERSED, response_code="00")),
        ]
    )
    changed_group: int = 0
    """A group of the journal whose bytes have changed; 0: none."""

    def findings(self) -> dict[str, Finding]:
        memory = TerminalMemory.open(self.directory, TERMINAL)
        memory.append(self.memory)
        memory.close()
        settlement = open_engine(f"sqlite:///{self._database()}", read_only=True)
        sources = Sources(
            world=built_in(),
            journals={"0": self._journal()},
            ledgers={
                bank: log_of(f"ledger.v1.{bank}", [r for b, r in self.ledger if b == bank])
                for bank in (BANK, OTHER_BANK)
            },
            settlement=settlement,
            terminals=lambda: memories(self.directory / "terminals"),
            search=self._search,
        )
        try:
            return asyncio.run(verified(sources))
        finally:
            settlement.dispose()

    def _journal(self) -> MemoryLog:
        log = log_of("journal.v1.0", self.journal)
        if self.changed_group:
            log.groups[self.changed_group - 1] = log.groups[self.changed_group - 1].replace(b'"at_ms":', b'"at_ms": ')
        return log

    async def _search(self, progress: Progress) -> Report:
        report = Report()
        search_directory(self.directory, Detector(wanted(built_in())), report, progress)
        return report

    def _database(self) -> Path:
        """The ledger's tables as far as they are read, without the constraints that would refuse a seeded fault."""
        path = self.directory / "settlement.db"
        database = sqlite3.connect(path)
        database.executescript(
            "CREATE TABLE checkpoints (partition, sequence); CREATE TABLE entries (id, transaction_id, entry_kind);"
            "CREATE TABLE postings (entry, account, currency, amount_minor);"
        )
        database.execute("INSERT INTO checkpoints VALUES ('0', ?)", ((len(self.journal) + 1) // 2,))
        for number, (stan, kind, amounts) in enumerate(self.entries, 1):
            database.execute("INSERT INTO entries VALUES (?, ?, ?)", (number, id_of(stan), kind))
            rows = [(number, f"account {place}", CNY, amount) for place, amount in enumerate(amounts)]
            database.executemany("INSERT INTO postings VALUES (?, ?, ?, ?)", rows)
        database.commit()
        database.close()
        return path


def broken(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if not finding.held}


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


def test_a_sound_world_is_called_sound(sides: Sides) -> None:
    findings = sides.findings()
    assert broken(findings) == set(), findings
    assert list(findings) == ["I1", "I3", "I5", "I7", "I9", "I10", "I12"]
    assert all(finding.checked for finding in findings.values())


Bend = Callable[[Sides], object]

FAULTS: dict[str, tuple[set[str], Bend]] = {
    # I1
    "an entry out of balance": ({"I1"}, lambda s: s.entries.__setitem__(0, entry(SETTLED, "capture", AMOUNT, -1))),
    "an entry with one posting": ({"I1"}, lambda s: s.entries.__setitem__(0, entry(SETTLED, "capture", AMOUNT))),
    # I3
    "settled twice": ({"I3"}, lambda s: s.entries.append(entry(SETTLED, "settlement"))),
    "never settled": ({"I3"}, lambda s: s.entries.remove(entry(SETTLED, "settlement"))),
    "settled by another amount": (
        {"I3"},
        lambda s: s.entries.__setitem__(
            s.entries.index(entry(SETTLED, "settlement")), entry(SETTLED, "settlement", 1, -1)
        ),
    ),
    "never captured": ({"I3"}, lambda s: s.entries.remove(entry(OPEN, "capture"))),
    "settled before its batch was closed": ({"I3"}, lambda s: s.entries.append(entry(OPEN, "settlement"))),
    "an entry of a kind that nobody knows": ({"I3"}, lambda s: s.entries.append(entry(OPEN, "bonus"))),
    "no posting at the bank": ({"I3"}, lambda s: s.ledger.remove((BANK, posting(OPEN)))),
    "another amount at the bank": ({"I3"}, lambda s: s.ledger.__setitem__(0, (BANK, posting(SETTLED, 1)))),
    "a posting at another bank": ({"I3", "I5"}, lambda s: s.ledger.__setitem__(0, (OTHER_BANK, posting(SETTLED)))),
    "an approval that no journal knows": ({"I3"}, lambda s: s.memory.extend([sent("000099"), answered("000099")])),
    # I5
    "declined at the terminal, approved in the journal": (
        {"I5", "I9"},
        lambda s: s.memory.__setitem__(1, answered(SETTLED, "51")),
    ),
    "no answer at the terminal, and no reversal kept": ({"I5"}, lambda s: s.memory.remove(answered(SETTLED))),
    "reversed at the terminal, approved in the journal": (
        {"I5"},
        lambda s: s.memory.extend([ReversalEnded(batch=OPEN_BATCH, stan=OPEN, response_code="00")]),
    ),
    "charged though declined": ({"I5"}, lambda s: s.ledger.__setitem__(4, (BANK, posting(DECLINED)))),
    "charged though nobody asked": ({"I5"}, lambda s: s.ledger.append((BANK, posting("000099")))),
    "booked though declined": ({"I5"}, lambda s: s.entries.append(entry(DECLINED, "capture"))),
    "booked for nothing": ({"I5"}, lambda s: s.entries.append(entry("000099", "capture"))),
    "a reversal that undoes half": (
        {"I5"},
        lambda s: s.entries.__setitem__(
            s.entries.index(entry(REVERSED, "reversal")), entry(REVERSED, "reversal", 1, -1)
        ),
    ),
    "compensated twice": ({"I5"}, lambda s: s.entries.append(entry(COMPENSATED, "compensation"))),
    "half given back": (
        {"I5"},
        lambda s: s.ledger.__setitem__(s.ledger.index((BANK, given_back(REVERSED))), (BANK, given_back(REVERSED, 1))),
    ),
    # I7
    "a second word": ({"I7"}, lambda s: s.journal.append(outcome(SETTLED))),
    "approved after a decline": ({"I7"}, lambda s: s.journal.append(outcome(DECLINED))),
    "a second intent": ({"I7"}, lambda s: s.journal.append(intent(OPEN))),
    "an outcome from nowhere": ({"I7"}, lambda s: s.journal.append(outcome("000099"))),
    "an acknowledgement that nobody asked for": ({"I7"}, lambda s: s.journal.append(reversed_(OPEN))),
    "a batch closed twice": ({"I7"}, lambda s: s.journal.append(CLOSE)),
    "reversed twice at the bank": ({"I7"}, lambda s: s.ledger.append((BANK, given_back(REVERSED, 0)))),
    "posted after the tombstone": ({"I5", "I7"}, lambda s: s.ledger.append((BANK, posting(UNKNOWN)))),
    "posted twice": ({"I3", "I7"}, lambda s: s.ledger.append((BANK, posting(OPEN)))),
    # I9
    "two answers to one request": ({"I9"}, lambda s: s.memory.insert(2, answered(SETTLED, digest="d2"))),
    "a decline with another code": ({"I9"}, lambda s: s.memory.__setitem__(5, answered(DECLINED, "05"))),
    "another reference number": ({"I9"}, lambda s: s.memory.__setitem__(1, answered(SETTLED, rrn="000000009999"))),
    # I10
    "an open intent": ({"I10"}, lambda s: s.journal.append(intent("000007"))),
    "a bank that has not acknowledged": ({"I10"}, lambda s: s.journal.remove(reversed_(COMPENSATED))),
    "a tombstone that one bank has not got": ({"I10"}, lambda s: s.journal.remove(reversed_(UNKNOWN, OTHER_BANK))),
    "acknowledged, and not in the bank's ledger": (
        {"I10"},
        lambda s: s.ledger.remove((OTHER_BANK, given_back(UNKNOWN, 0))),
    ),
    "a late tombstone for a decline that no bank has got": ({"I10"}, lambda s: s.journal.append(tombstone(DECLINED))),
    # I12
    "a card number in a file": ({"I12"}, lambda s: (s.directory / "a.log").write_text("card 6291010000000012")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_breaks_its_invariant(sides: Sides, fault: str) -> None:
    expected, bend = FAULTS[fault]
    bend(sides)
    findings = sides.findings()
    assert broken(findings) == expected, findings
    for name in expected:
        assert findings[name].violations[0].subject
        assert findings[name].violations[0].what


def test_every_invariant_has_a_fault() -> None:
    assert {name for expected, _ in FAULTS.values() for name in expected} == set(INVARIANTS)


def test_the_evidence_names_all_sides(sides: Sides) -> None:
    sides.entries.append(entry(SETTLED, "settlement"))
    (row,) = sides.findings()["I3"].violations
    assert row.subject == id_of(SETTLED)
    assert row.evidence["rrn"] == rrn_of(SETTLED)
    assert row.evidence["journal"] == "intent → approved → settled"
    assert row.evidence["issuer"] == str(AMOUNT)
    assert row.evidence["settlement"] == "capture×1 reversal×0 settlement×2 compensation×0"


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


def test_a_damaged_log_raises_no_false_alarms(sides: Sides) -> None:
    sides.changed_group = 2
    findings = sides.findings()
    assert broken(findings) == {"I3", "I5", "I7", "I9", "I10"}
    assert findings["I7"].violations[0].what == "journal.v1.0: the hash chain is broken at sequence 3"
    for name in ("I3", "I5", "I9", "I10"):
        (row,) = findings[name].violations
        assert row.what == "not checked: the log cannot be read to its end"


def test_many_violations_are_counted_and_few_are_shown(sides: Sides) -> None:
    sides.journal += [intent(f"{number:06d}") for number in range(100, 150)]
    finding = sides.findings()["I10"]
    assert finding.broken == 50
    assert len(finding.violations) == SHOWN
