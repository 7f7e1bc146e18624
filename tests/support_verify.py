"""A small world as all its sides tell it, for tests of `lianji verify`: sound until a test bends it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from sqlalchemy import Engine

import receipts.rebuild
import settlement.rebuild
from contracts.authorization import Totals
from contracts.chip import ChipFacts
from contracts.codec import encode_stored
from contracts.journal import BatchClosed, Intent, Outcome, Record, Reversed, Reversing, Tombstone, record_decoder
from contracts.kinds import Kind
from contracts.ledger import LedgerRecord, Posting, Refusal, ReversalPosting, ScriptResults
from contracts.money import CNY
from contracts.pan import MaskedCard
from contracts.states import State
from lianji.scan.detector import Detector
from lianji.scan.everywhere import search_directory
from lianji.scan.report import Report
from lianji.scan.wanted import wanted
from lianji.verify import Finding, Sources, check, gather
from lianji.verify.acknowledged import Acknowledgement, Mark
from lianji.verify.rebuilt import InProcess, MakeRebuilder, Rebuilder
from lianji.verify.sources import Progress, memories
from runtime.log import Group, digest
from runtime.memory_log import MemoryLog
from runtime.projection import Projection
from runtime.rebuilding import Rebuilding
from runtime.sql import open_engine
from terminal_sim.entries import Answered, CloseEnded, ReversalEnded, Sent
from terminal_sim.memory import TerminalMemory
from terminal_sim.record import ClosedBatch, Transaction
from world import built_in

TERMINAL, MERCHANT, BATCH, OPEN_BATCH = "10000001", "482290058130001", "000001", "000002"
BANK, OTHER_BANK = "huaxing", "nanhai"
FOREIGN_BANK = "meridian"
"""Its accounts are in another currency."""
AMOUNT = 1234
SETTLED, OPEN, DECLINED, REVERSED, COMPENSATED, UNKNOWN = "000001", "000002", "000003", "000004", "000005", "000006"
"""The transactions of the sound world, by trace number."""


def id_of(stan: str) -> str:
    return f"{TERMINAL}:{batch_of(stan)}:{stan}"


def batch_of(stan: str) -> str:
    return OPEN_BATCH if stan == OPEN else BATCH


def rrn_of(stan: str) -> str:
    return f"00000000{stan[-4:]}"


CHIP = ChipFacts(
    application="F0000048220101", cryptogram="0A1B2C3D4E5F6071", information="80", results="0" * 10, counter="002A"
)


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
        entry_mode="051",
        card=MaskedCard(first6="629101", last4="0012", length=16, digest="0" * 32),
        fingerprint="f",
        chip=CHIP,
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


def results(stan: str) -> ScriptResults:
    return ScriptResults(id=id_of(stan), account="huaxing-000001", counter=1, results="20", at_ms=9)


def given_back(stan: str, amount_minor: int = AMOUNT) -> ReversalPosting:
    return ReversalPosting(
        id=id_of(stan), account="huaxing-000001", amount_minor=amount_minor, currency=CNY, reason="98", at_ms=4
    )


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


def closed_at_terminal(debit_minor: int = 2 * AMOUNT) -> CloseEnded:
    totals = Totals(debit_minor=debit_minor, debit_count=2)
    return CloseEnded(closed=ClosedBatch(batch=BATCH, stan=CLOSE.stan, rrn=CLOSE.rrn, totals=totals, at_ms=5))


def log_of(name: str, records: Sequence[Record | LedgerRecord]) -> MemoryLog:
    """The records in a log, two to a group."""
    log = MemoryLog(name)
    for start in range(0, len(records), 2):
        before = digest(log.groups[-1]) if log.groups else ""
        raws = [msgspec.Raw(encode_stored(record)) for record in records[start : start + 2]]
        group = Group(log=name, epoch=1, number=len(log.groups) + 1, prev=before, records=raws)
        log.groups.append(msgspec.json.encode(group))
    return log


def sound_journal() -> list[Record]:
    return [
        *(record for stan in (SETTLED, COMPENSATED) for record in (intent(stan), outcome(stan))),
        *(intent(DECLINED), outcome(DECLINED, "51")),
        *(intent(REVERSED), outcome(REVERSED), reversing(REVERSED), reversed_(REVERSED)),
        *(tombstone(UNKNOWN), reversed_(UNKNOWN, OTHER_BANK), reversed_(UNKNOWN)),
        CLOSE,
        *(intent(OPEN), outcome(OPEN)),
        *(reversing(COMPENSATED, after_close=True), reversed_(COMPENSATED)),
    ]


def sound_ledger() -> list[tuple[str, LedgerRecord]]:
    return [
        *((BANK, posting(stan)) for stan in (SETTLED, COMPENSATED, REVERSED, OPEN)),
        (BANK, refusal(DECLINED)),
        *((BANK, given_back(stan)) for stan in (REVERSED, COMPENSATED)),
        *((bank, given_back(UNKNOWN, 0)) for bank in (BANK, OTHER_BANK)),
    ]


def sound_memory() -> list[Sent | Answered | ReversalEnded | CloseEnded]:
    return [
        *(step for stan in (SETTLED, OPEN) for step in (sent(stan), answered(stan))),
        *(sent(DECLINED), answered(DECLINED, "51")),
        *(sent(REVERSED), ReversalEnded(batch=BATCH, stan=REVERSED, response_code="00")),
        closed_at_terminal(),
    ]


PROJECTIONS: dict[str, Callable[[str], Projection]] = {
    "settlement": settlement.rebuild.projection,
    "receipts": receipts.rebuild.projection,
}


def in_process(name: str) -> MakeRebuilder:
    async def make(url: str) -> Rebuilder:
        return InProcess(Rebuilding(PROJECTIONS[name](url), record_decoder.decode))

    return make


@dataclass
class Sides:
    """What each side says. The projections' databases are what the services make of the journal; of the sound one, when they refuse the one
    that is given. `settlement` and `receipts` are statements that bend them."""

    directory: Path
    journal: list[Record] = field(default_factory=sound_journal)
    ledger: list[tuple[str, LedgerRecord]] = field(default_factory=sound_ledger)
    memory: list[Sent | Answered | ReversalEnded | CloseEnded] = field(default_factory=sound_memory)
    settlement: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    acks: list[Acknowledgement] = field(default_factory=list)
    changed_group: int = 0
    """A group of the journal whose bytes have changed; 0: none."""
    sound: Callable[[], list[Record]] = sound_journal
    """What the projections follow when they refuse `journal`."""
    rebuild: dict[str, MakeRebuilder] = field(default_factory=lambda: {name: in_process(name) for name in PROJECTIONS})

    # ------------------------------------------------------------------ what a test bends

    def book(self, stan: str, kind: str, *amounts: int) -> None:
        """An entry more, with these postings."""
        number = 1000 + len(self.settlement)
        self.settlement.append(f"INSERT INTO entries VALUES ({number}, '0', '{id_of(stan)}', '{kind}', 1)")
        for place, amount in enumerate(amounts or (AMOUNT, -AMOUNT)):
            self.settlement.append(f"INSERT INTO postings VALUES ({number}, 'account {place}', '{CNY}', {amount})")

    def unbook(self, stan: str, kind: str) -> None:
        """An entry less, with its postings."""
        entry = f"transaction_id = '{id_of(stan)}' AND entry_kind = '{kind}'"
        self.settlement.append(f"DELETE FROM postings WHERE entry IN (SELECT id FROM entries WHERE {entry})")
        self.settlement.append(f"DELETE FROM entries WHERE {entry}")

    def rebook(self, stan: str, kind: str, *amounts: int) -> None:
        """Another entry in the place of one."""
        self.unbook(stan, kind)
        self.book(stan, kind, *amounts)

    def reprint(self, stan: str, assignment: str) -> None:
        """A slip's columns changed."""
        self.receipts.append(f"UPDATE slips SET {assignment} WHERE transaction_id = '{id_of(stan)}'")

    # ------------------------------------------------------------------ what is found

    def findings(self) -> dict[str, Finding]:
        memory = TerminalMemory.open(self.directory, TERMINAL)
        memory.append(self.memory)
        memory.close()
        settlement_db, receipts_db = self._database("settlement"), self._database("receipts")
        sources = Sources(
            world=built_in(),
            journals={"0": self.journal_log()},
            ledgers={bank: self.ledger_log(bank) for bank in (BANK, OTHER_BANK, FOREIGN_BANK)},
            settlement=settlement_db,
            receipts=receipts_db,
            terminals=lambda: memories(self.directory / "terminals"),
            search=self._search,
            rebuild=self.rebuild,
            marks=self._marks,
            acknowledgements=lambda: self.acks,
        )
        try:
            return asyncio.run(found(sources))
        finally:
            settlement_db.dispose()
            receipts_db.dispose()

    def journal_log(self) -> MemoryLog:
        log = log_of("journal.v1.0", self.journal)
        if self.changed_group:
            log.groups[self.changed_group - 1] = log.groups[self.changed_group - 1].replace(b'"at_ms":', b'"at_ms": ')
        return log

    def ledger_log(self, bank: str) -> MemoryLog:
        return log_of(f"ledger.v1.{bank}", [record for owner, record in self.ledger if owner == bank])

    async def _marks(self) -> list[Mark]:
        return self.marks

    async def _search(self, progress: Progress) -> Report:
        report = Report()
        search_directory(self.directory, Detector(wanted(built_in())), report, progress)
        return report

    def _database(self, name: str) -> Engine:
        """The tables as the service makes them, then without the constraints that would refuse a seeded fault."""
        path = self.directory / f"{name}.db"
        if _project(name, path, self.journal):
            path.unlink()
            assert not _project(name, path, self.sound())
        with closing(sqlite3.connect(path)) as database:
            names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in names:
                database.execute(f"CREATE TABLE free_{table} AS SELECT * FROM {table}")
            for table in names:
                database.execute(f"DROP TABLE {table}")
                database.execute(f"ALTER TABLE free_{table} RENAME TO {table}")
            database.execute("UPDATE checkpoints SET sequence = ?", ((len(self.journal) + 1) // 2,))
            for statement in getattr(self, name):
                database.execute(statement)
            database.commit()
        return open_engine(f"sqlite:///{path}", read_only=True)


def sources_of(directory: Path, journal: Sequence[Record]) -> Sources:
    """A journal that settlement has followed, and nothing else."""
    path = directory / "settlement.db"
    assert not _project("settlement", path, journal)
    settlement = open_engine(f"sqlite:///{path}", read_only=True)
    return Sources(world=built_in(), journals={"0": log_of("journal.v1.0", journal)}, ledgers={}, settlement=settlement)


def _project(name: str, path: Path, journal: Sequence[Record]) -> str:
    """Why the service stopped at this journal; empty: it has taken all of it."""
    rebuilding = Rebuilding(PROJECTIONS[name](f"sqlite:///{path}"), record_decoder.decode)
    for sequence, payload in enumerate(log_of("journal.v1.0", journal).groups, 1):
        rebuilding.take("0", sequence, payload)
    return rebuilding.rest().stopped


async def found(sources: Sources) -> dict[str, Finding]:
    with closing(await gather(sources)) as evidence:
        return check(evidence)


def broken(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if not finding.held}
