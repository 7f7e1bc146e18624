"""The ledger on real SQLite files: crashes, redelivery, poison, several shards at once, and the questions."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, select

from contracts.authorization import Totals
from contracts.breaks import Break
from contracts.codec import decoder, encode
from contracts.identity import format_rrn, transaction_id
from contracts.journal import (
    BatchClosed,
    BatchUnbalanced,
    BreakFound,
    Intent,
    Outcome,
    Record,
    Reversed,
    Reversing,
    SignedOn,
)
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.questions import (
    BatchQuestion,
    Breaks,
    BreaksQuestion,
    DaySummary,
    DaySummaryQuestion,
    FoundTransaction,
    NoTransaction,
    ProjectionStatus,
    Refused,
    SettlementSlip,
    TransactionQuestion,
)
from contracts.states import State
from runtime.bus import Request
from runtime.projection import ProjectedGroup, ProjectionError
from runtime.sql import open_engine
from runtime.trace_context import TraceContext
from runtime.tracing import Tracer
from settlement import schema
from settlement.handlers import Handlers
from settlement.projection import LedgerProjection
from settlement.queries import LedgerReader
from settlement.store import Ledger
from world import World, built_in

TERMINAL, MERCHANT = "10000001", "482290058130001"
NOON_MS = 1_769_832_000_000  # 2026-01-31 12:00 in UTC+8
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
NOT_SAMPLED = f"00-{'e' * 32}-{'f' * 16}-00"
CLOSE_TRACE = f"00-{'c' * 32}-{'d' * 16}-01"


def intent(number: int, amount_minor: int = 1234, *, terminal: str = TERMINAL, shard: int = 0) -> Intent:
    return Intent(
        at_ms=NOON_MS,
        id=transaction_id(terminal, "000001", f"{number:06d}"),
        rrn=format_rrn(shard, number),
        kind=Kind.SALE,
        terminal=terminal,
        merchant=MERCHANT,
        batch="000001",
        stan=f"{number:06d}",
        operator="01",
        amount_minor=amount_minor,
        currency="156",
        institution="huaxing",
        entry_mode="021",
        card=MaskedCard(first6="629101", last4="0018", length=16, digest="0" * 32),
        fingerprint="f",
    )


def approved(number: int, *, terminal: str = TERMINAL, trace: str = "") -> Outcome:
    id = transaction_id(terminal, "000001", f"{number:06d}")
    return Outcome(at_ms=NOON_MS + number, id=id, state=State.APPROVED, response_code="00", trace=trace)


def close(totals: Totals, *, batch: str = "000001", trace: str = "") -> BatchClosed:
    return BatchClosed(
        at_ms=NOON_MS + 9_000,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=batch,
        next_batch=f"{int(batch) + 1:06d}",
        operator="01",
        stan="000099",
        rrn=format_rrn(0, 99),
        currency="156",
        totals=totals,
        trace=trace,
    )


def groups(*records: tuple[Record, ...], first: int = 1) -> list[ProjectedGroup]:
    return [ProjectedGroup(first + n, row) for n, row in enumerate(records)]


def dump(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.begin() as connection:
        return {t.name: sorted(tuple(r) for r in connection.execute(select(t))) for t in schema.metadata.sorted_tables}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'settlement.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url, read_only=False)
    yield engine
    engine.dispose()


def projection(engine: Engine, tracer: Tracer | None = None) -> LedgerProjection:
    return LedgerProjection(Ledger(engine), tracer or Tracer("settlement", "test"))


def test_the_file_is_written_ahead_and_synced(engine: Engine) -> None:
    Ledger(engine)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_nothing_is_doubled_after_a_kill_between_commit_and_acknowledgement(tmp_path: Path, url: str) -> None:
    """The process dies right behind the commit; the broker, which saw no acknowledgement, delivers again."""
    script = (
        "import os, sys, runpy\n"
        "m = runpy.run_path(sys.argv[1])\n"
        "p = m['projection'](m['open_engine'](sys.argv[2], read_only=False))\n"
        "p.apply('0', m['groups']((m['intent'](1),), (m['approved'](1), m['intent'](2))))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, __file__, url], env=os.environ, check=False)
    assert killed.returncode == -9
    engine = open_engine(url, read_only=False)
    again = projection(engine)
    assert again.checkpoint("0") == 2
    before = dump(engine)
    assert len(before["entries"]) == 1
    again.apply("0", groups((intent(1),), (approved(1), intent(2))))
    assert dump(engine) == before
    again.apply("0", groups((intent(1),), (approved(1), intent(2)), (approved(2),)))
    assert len(dump(engine)["entries"]) == 2
    engine.dispose()


def test_a_poison_group_leaves_nothing_of_its_list(engine: Engine) -> None:
    books = projection(engine)
    books.apply("0", groups((intent(1), approved(1))))
    before = dump(engine)
    wrong = close(Totals(debit_minor=1, debit_count=1))
    with pytest.raises(ProjectionError, match="sequence 3, record 0: batch 000001 of terminal 10000001"):
        books.apply("0", groups((intent(2), approved(2)), (wrong,), first=2))
    assert dump(engine) == before
    assert books.checkpoint("0") == 1


def test_a_transaction_that_an_earlier_list_began_cannot_begin_again(engine: Engine) -> None:
    books = projection(engine)
    books.apply("0", groups((intent(1),)))
    with pytest.raises(ProjectionError, match=r"transactions\.id"):
        books.apply("0", groups((intent(1),), first=2))
    assert books.checkpoint("0") == 1


def test_a_missing_group_stops_the_books(engine: Engine) -> None:
    books = projection(engine)
    with pytest.raises(ProjectionError, match="sequence 1 is missing, 2 follows"):
        books.apply("0", groups((intent(1),), first=2))


def test_shards_write_side_by_side(engine: Engine) -> None:
    books = projection(engine)
    failures: list[BaseException] = []

    def follow(shard: int) -> None:
        terminal = f"2000000{shard}"
        try:
            for n in range(1, 26):
                rows = (intent(n, terminal=terminal, shard=shard), approved(n, terminal=terminal))
                books.apply(str(shard), [ProjectedGroup(n, rows)])
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=follow, args=(shard,)) for shard in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    tables = dump(engine)
    assert len(tables["entries"]) == 75
    assert [row[:2] for row in tables["checkpoints"]] == [("0", 25), ("1", 25), ("2", 25)]
    assert tables["accounts"] == [("issuer:huaxing:receivable",), (f"merchant:{MERCHANT}:captured",)]


def test_spans_hang_below_the_records_that_carry_a_trace(engine: Engine) -> None:
    tracer = Tracer("settlement", "test")
    books = projection(engine, tracer)
    books.apply(
        "0",
        groups(
            (intent(1), approved(1, trace=TRACE), intent(2), approved(2), intent(3), approved(3, trace=NOT_SAMPLED)),
            (close(Totals(debit_minor=3 * 1234, debit_count=3), trace=CLOSE_TRACE),),
        ),
    )
    spans = tracer.take()
    assert [(s.name, s.shape.kind, s.trace_id, s.parent_id, s.attributes["lianji.entry_kind"]) for s in spans] == [
        ("post to ledger", 5, "a" * 32, "b" * 16, "capture"),
        ("batch closed", 5, "a" * 32, "b" * 16, "settlement"),
        ("post to ledger", 5, "c" * 32, "d" * 16, "settlement"),
    ]
    assert [s.links for s in spans] == [(), (TraceContext("c" * 32, "d" * 16),), ()]
    assert spans[-1].attributes["lianji.entries"] == 3
    books.apply("0", groups((intent(1), approved(1, trace=TRACE))))
    assert tracer.take() == []


def asked(question: object) -> Request:
    return Request("settlement", encode(question), None, 0)


_day_answer = decoder(DaySummary | Refused)
_batch_answer = decoder(SettlementSlip | Refused)
_transaction_answer = decoder(FoundTransaction | NoTransaction | Refused)


class Standing:
    """A follower that reads nothing more, unless it is asked for something."""

    def __init__(self, books: LedgerProjection) -> None:
        self.stopped = ""
        self.asked_for = 0
        self._books = books
        self._coming: list[ProjectedGroup] = []

    def will_read(self, coming: list[ProjectedGroup]) -> None:
        self._coming = coming

    async def reached(self, sequence: int, within_s: float) -> bool:
        self.asked_for = sequence
        self._books.apply("0", self._coming)
        return self._books.checkpoint("0") >= sequence


class Asker:
    def __init__(self, engine: Engine, url: str, world: World) -> None:
        self.books = projection(engine)
        self.reader = open_engine(url, read_only=True)
        self.progress = Standing(self.books)
        self.handlers = Handlers(LedgerReader(self.reader), world, {0: self.progress})

    async def day(self, merchant: str = MERCHANT, day: str = "2026-01-31") -> DaySummary | Refused:
        answer = await self.handlers.day_summary(asked(DaySummaryQuestion(merchant=merchant, day=day)))
        return _day_answer.decode(answer)

    async def transaction(self, *ids: str, sequence: int = 0, shard: int = 0, **more: str) -> object:
        question = TransactionQuestion(shard=shard, sequence=sequence, ids=ids, **more)
        return _transaction_answer.decode(await self.handlers.transaction(asked(question)))

    async def batch(self, batch: str = "", *, reprint: bool = False) -> SettlementSlip | Refused:
        question = BatchQuestion(terminal=TERMINAL, batch=batch, reprint=reprint)
        return _batch_answer.decode(await self.handlers.batch(asked(question)))


@pytest.fixture
def asker(engine: Engine, url: str) -> Iterator[Asker]:
    asker = Asker(engine, url, built_in())
    yield asker
    asker.reader.dispose()


async def test_day_summary(asker: Asker) -> None:
    yesterday = Outcome(
        at_ms=NOON_MS - 86_400_000,
        id=transaction_id(TERMINAL, "000001", "000001"),
        state=State.APPROVED,
        response_code="00",
    )
    reversing = Reversing(at_ms=NOON_MS, id=intent(3).id, reason="98", origin="terminal")
    late = Reversing(at_ms=NOON_MS, id=intent(4).id, reason="98", origin="terminal", after_close=True)
    asker.books.apply(
        "0",
        groups(
            (intent(1, 7), yesterday),
            (intent(2, 1000), approved(2), intent(3, 200), approved(3), reversing),
            (Reversed(at_ms=NOON_MS, id=intent(3).id, institution="huaxing"), intent(4, 30), approved(4)),
            (close(Totals(debit_minor=1037, debit_count=3)), late),
        ),
    )
    other = intent(5, 5000, terminal="10000002")
    declined = intent(6, 6000, terminal="10000002")
    asker.books.apply(
        "0",
        groups(
            (other, approved(5, terminal="10000002")),
            (declined, Outcome(at_ms=NOON_MS, id=declined.id, state=State.DECLINED, response_code="51")),
            first=5,
        ),
    )
    summary = await asker.day()
    assert isinstance(summary, DaySummary)
    assert summary.merchant_name == "云溪茶馆"
    assert [msgspec.structs.astuple(line) for line in summary.lines] == [
        ("10000001", "000001", True, 1, 1000, 2, 230, 0, 0),
        ("10000002", "000001", False, 1, 5000, 0, 0, 0, 0),
    ]
    assert (summary.captured_minor, summary.payable_minor) == (5000, 1000)


def of_kind(number: int, kind: Kind, amount_minor: int, *, original: int = 0) -> Intent:
    target = {"target_institution": "nanhai"} if kind is Kind.TRANSFER else {}
    return replace(intent(number, amount_minor), kind=kind, original=intent(original).id if original else "", **target)


async def test_a_day_with_voids_refunds_holds_and_transfers(asker: Asker) -> None:
    asker.books.apply(
        "0",
        groups(
            (intent(1, 1000), approved(1), intent(2, 300), approved(2)),
            (of_kind(3, Kind.VOID, 1000, original=1), approved(3)),
            (of_kind(4, Kind.REFUND, 100, original=2), approved(4)),
            (of_kind(5, Kind.PRE_AUTH, 7000), approved(5), of_kind(6, Kind.TRANSFER, 8000), approved(6)),
            (of_kind(7, Kind.BALANCE, 0), approved(7)),
            (of_kind(8, Kind.VOID, 300, original=2), approved(8)),
            (Reversing(at_ms=NOON_MS, id=intent(8).id, reason="98", origin="terminal"),),
        ),
    )
    summary = await asker.day()
    assert isinstance(summary, DaySummary)
    (line,) = summary.lines
    assert (line.sales_count, line.sales_minor, line.credits_count, line.credits_minor) == (2, 1300, 2, 1100)
    assert (line.reversed_count, line.reversed_minor) == (1, -300)
    assert (summary.captured_minor, summary.payable_minor) == (200, 0)
    totals = Totals(debit_minor=1300, debit_count=2, credit_minor=1100, credit_count=2)
    asker.books.apply("0", groups((close(totals),), first=8))
    summary = await asker.day()
    assert isinstance(summary, DaySummary)
    assert (summary.captured_minor, summary.payable_minor) == (0, 200)
    slip = await asker.batch()
    assert isinstance(slip, SettlementSlip)
    for line_of in ("消费             2         13.00", "消费撤销         1         10.00", "退货             1"):
        assert line_of in slip.text
    assert "预授权" not in slip.text
    assert "转账" not in slip.text


async def test_a_transaction_is_found_with_what_stands_on_it(asker: Asker) -> None:
    sale, other = intent(1, 1000), intent(1, 70, terminal="10000002")
    asker.books.apply(
        "0",
        groups(
            (sale, replace(approved(1), authorization_code="A1B2C3"), other, approved(1, terminal="10000002")),
            (close(Totals(debit_minor=1000, debit_count=1)),),
        ),
    )
    found = await asker.transaction(sale.id, other.id, sequence=2)
    assert found == FoundTransaction(
        id=sale.id,
        rrn=sale.rrn,
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch="000001",
        stan="000001",
        amount_minor=1000,
        currency="156",
        institution="huaxing",
        authorization_code="A1B2C3",
        state=State.SETTLED,
        decided_ms=NOON_MS + 1,
        taken_minor=0,
        spent=False,
        asked_minor=1000,
    )
    assert await asker.transaction(sale.id, rrn=sale.rrn, authorization_code="A1B2C3") == found
    # The asker's order says whose comes first, and what it knows of RRN and code holds for every one of them.
    second = await asker.transaction(other.id, sale.id)
    assert isinstance(second, FoundTransaction)
    assert (second.id, second.state) == (other.id, State.APPROVED)
    assert await asker.transaction(other.id, sale.id, authorization_code="A1B2C3") == found
    assert await asker.transaction(sale.id, rrn="000000000099") == NoTransaction()
    assert await asker.transaction(sale.id, authorization_code="A1B2C4") == NoTransaction()
    assert await asker.transaction(intent(9).id) == NoTransaction()
    assert await asker.transaction() == NoTransaction()


async def test_what_does_not_stand_is_not_found(asker: Asker) -> None:
    declined = Outcome(at_ms=NOON_MS, id=intent(2).id, state=State.DECLINED, response_code="51")
    reversing = Reversing(at_ms=NOON_MS, id=intent(3).id, reason="98", origin="terminal")
    asker.books.apply("0", groups((intent(1), intent(2), declined, intent(3), approved(3), reversing)))
    for number in (1, 2, 3):
        assert await asker.transaction(intent(number).id) == NoTransaction(), number


async def test_claims_count_while_they_stand(asker: Asker) -> None:
    """A refund from its intent on, a declined one not; a completion until its reversal has been acknowledged."""
    done = 0

    async def taken(of: int, *records: Record) -> tuple[int, bool]:
        nonlocal done
        done += 1
        asker.books.apply("0", groups(records, first=done))
        found = await asker.transaction(intent(of).id, sequence=done)
        assert isinstance(found, FoundTransaction)
        return found.taken_minor, found.spent

    refund = of_kind(2, Kind.REFUND, 300, original=1)
    assert await taken(1, intent(1, 1000), approved(1)) == (0, False)
    assert await taken(1, refund) == (300, False)
    assert await taken(1, approved(2), of_kind(3, Kind.REFUND, 50, original=1)) == (350, False)
    declined = Outcome(at_ms=NOON_MS, id=intent(3).id, state=State.DECLINED, response_code="51")
    assert await taken(1, declined) == (300, False)
    completion = of_kind(5, Kind.COMPLETION, 1100, original=4)
    assert await taken(4, of_kind(4, Kind.PRE_AUTH, 1000), approved(4), completion, approved(5)) == (1100, True)
    reversing = Reversing(at_ms=NOON_MS, id=intent(5).id, reason="98", origin="terminal")
    assert await taken(4, reversing) == (1100, True)
    assert await taken(4, Reversed(at_ms=NOON_MS, id=intent(5).id, institution="huaxing")) == (0, False)


async def test_the_answer_waits_for_the_journal(asker: Asker) -> None:
    asker.books.apply("0", groups((intent(1),)))
    asker.progress.will_read(groups((approved(1),), first=2))
    found = await asker.transaction(intent(1).id, sequence=2)
    assert asker.progress.asked_for == 2
    assert isinstance(found, FoundTransaction)
    refused = await asker.transaction(intent(1).id, sequence=3)
    assert refused == Refused(reason="sequence: the ledger has read shard 0 up to 2 only; ask again")
    asker.progress.stopped = "a poison group"
    refused = await asker.transaction(intent(1).id, sequence=3)
    assert isinstance(refused, Refused)
    assert refused.reason.endswith("a poison group")
    assert await asker.transaction(intent(1).id, shard=7) == Refused(
        reason="shard: there is none of that number; take 0 to 0"
    )
    broken = await asker.handlers.transaction(Request("settlement", b'{"shard":0}', None, 0))
    assert isinstance(_transaction_answer.decode(broken), Refused)


def test_claims_are_found_by_their_index(engine: Engine) -> None:
    Ledger(engine)
    with engine.begin() as connection:
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN SELECT kind FROM transactions WHERE original = 'x' AND {schema.CLAIMING.text}"
        ).all()
    assert "claims_on_a_transaction" in str(plan)


async def test_a_transaction_of_which_a_part_was_approved_is_found_with_what_was_asked_for(asker: Asker) -> None:
    part = replace(approved(1), response_code="10", part_minor=400)
    asker.books.apply("0", groups((intent(1, 1000),), (part,), (close(Totals(debit_minor=400, debit_count=1)),)))
    found = await asker.transaction(intent(1).id, sequence=3)
    assert isinstance(found, FoundTransaction)
    assert (found.state, found.amount_minor, found.asked_minor) == (State.SETTLED, 400, 1000)


@pytest.mark.parametrize("missing", [("asked_minor",), ("original", "target_institution", "authorization_code")])
def test_tables_of_the_former_layout_are_made_again(engine: Engine, missing: tuple[str, ...]) -> None:
    projection(engine).apply("0", groups((intent(1), approved(1))))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX claims_on_a_transaction")
        for name in missing:
            connection.exec_driver_sql(f"ALTER TABLE transactions DROP COLUMN {name}")
    books = projection(engine)
    assert books.checkpoint("0") == 0
    books.apply("0", groups((intent(1), approved(1))))
    again = dump(engine)
    assert len(again["transactions"]) == len(again["entries"]) == 1
    assert projection(engine).checkpoint("0") == 1  # and once only
    assert dump(engine) == again


async def test_questions_that_have_no_answer(asker: Asker) -> None:
    assert await asker.day(merchant="9") == Refused(reason="merchant: no such merchant; take the 15 digits of field 42")
    assert await asker.day(day="31.01.2026") == Refused(reason="day: not a date; write it like 2026-01-31")
    assert await asker.batch() == Refused(reason="batch: no batch of this terminal has been closed yet")
    assert await asker.batch("000001") == Refused(reason="batch: no such batch at this terminal")
    signed_on = SignedOn(
        at_ms=1,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch="000001",
        operator="01",
        stan="000001",
        rrn=format_rrn(0, 1),
    )
    asker.books.apply("0", groups((signed_on,)))
    refused = await asker.batch("000001")
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("batch: it is open")
    broken = await asker.handlers.batch(Request("settlement", b"{}", None, 0))
    assert "`terminal`" in _batch_answer.decode(broken).reason  # type: ignore[union-attr]


async def test_the_slip_of_the_last_closed_batch(asker: Asker) -> None:
    unbalanced = BatchUnbalanced(
        at_ms=NOON_MS,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch="000001",
        operator="01",
        stan="000098",
        rrn=format_rrn(0, 98),
        currency="156",
        host=Totals(debit_minor=1234, debit_count=1),
        terminal_totals=Totals(),
    )
    asker.books.apply("0", groups((intent(1), approved(1)), (unbalanced,)))
    slip = await asker.batch("000001")
    assert isinstance(slip, SettlementSlip)
    assert "内卡对账不平" in slip.text
    asker.books.apply("0", groups((close(Totals(debit_minor=1234, debit_count=1)),), first=3))
    slip = await asker.batch()
    assert isinstance(slip, SettlementSlip)
    assert slip.batch == "000001"
    assert "内卡对账平" in slip.text
    assert "12.34" in slip.text
    again = await asker.batch(reprint=True)
    assert isinstance(again, SettlementSlip)
    assert again.text.strip().startswith("上批POS结算总计")


async def test_breaks_are_listed_the_newest_first_and_by_whom_they_are(asker: Asker) -> None:
    def found(stan: str, at_ms: int, terminal: str = TERMINAL) -> BreakFound:
        return BreakFound(
            at_ms=at_ms,
            terminal=terminal,
            merchant=MERCHANT,
            batch="000001",
            stan=stan,
            difference=Break.TERMINAL_ONLY,
            currency="156",
            terminal_minor=1234,
        )

    async def listed(**question: object) -> Breaks:
        answer = await asker.handlers.breaks(asked(BreaksQuestion(**question)))  # type: ignore[arg-type]
        return decoder(Breaks).decode(answer)

    closed = msgspec.structs.replace(close(Totals()), uploaded=True)
    asker.books.apply("0", groups((found("000001", 1), found("000002", 2), found("000003", 3, "10000002"), closed)))
    assert [line.stan for line in (await listed()).lines] == ["000003", "000002", "000001"]
    assert [line.stan for line in (await listed(terminal=TERMINAL)).lines] == ["000002", "000001"]
    assert (await listed(batch="000002")).count == 0
    newest = await listed(limit=1)
    assert (len(newest.lines), newest.count) == (1, 3)
    assert newest.lines[0].host_state == ""
    slip = await asker.batch("000001")
    assert isinstance(slip, SettlementSlip)
    assert "内卡对账不平" in slip.text, "it was closed by its details"
    broken = await asker.handlers.breaks(Request("settlement", b'{"limit":0}', None, 0))
    assert "limit" in decoder(Refused).decode(broken).reason


async def test_status_tells_how_far_and_why_stopped(asker: Asker) -> None:
    asker.books.apply("0", groups((intent(1),)))
    asker.progress.stopped = "shard 0: sequence 2"
    answer = decoder(ProjectionStatus).decode(await asker.handlers.status(Request("settlement", b"", None, 0)))
    assert answer == ProjectionStatus(checkpoints={"0": 1}, stopped="shard 0: sequence 2")
