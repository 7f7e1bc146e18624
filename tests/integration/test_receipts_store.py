"""Slips on real SQLite files: redelivery, poison, late outcomes, reversals, and the questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event, inspect, select, text

from contracts.codec import decoder, encode
from contracts.identity import format_rrn, transaction_id
from contracts.journal import Intent, Outcome, Record, Reversing, Tombstone
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.questions import ProjectionStatus, Refused, Slip, SlipQuestion
from contracts.states import State
from receipts import schema
from receipts.app import names_of
from receipts.handlers import Handlers
from receipts.projection import SlipProjection
from receipts.store import SlipReader, SlipStore
from runtime.bus import Request
from runtime.projection import ProjectedGroup, ProjectionError
from runtime.sql import open_engine
from runtime.tracing import Tracer
from world import built_in

TERMINAL, MERCHANT = "10000001", "482290058130001"
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def id_of(number: int) -> str:
    return transaction_id(TERMINAL, "000001", f"{number:06d}")


def intent(number: int) -> Intent:
    return Intent(
        at_ms=1_769_832_000_000,
        id=id_of(number),
        rrn=format_rrn(0, number),
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch="000001",
        stan=f"{number:06d}",
        operator="01",
        amount_minor=1234,
        currency="156",
        institution="nanhai",
        entry_mode="021",
        card=MaskedCard(first6="628202", last4="0018", length=16, digest="0" * 32),
        fingerprint="f",
    )


def outcome(number: int, state: State = State.APPROVED, *, trace: str = "") -> Outcome:
    code = "00" if state is State.APPROVED else "51"
    return Outcome(
        at_ms=1_769_832_001_000, id=id_of(number), state=state, response_code=code, trace=trace, authorization_code="X"
    )


def reversing(number: int) -> Reversing:
    return Reversing(at_ms=1_769_832_002_000, id=id_of(number), reason="98", origin="terminal")


def tombstone(number: int) -> Tombstone:
    return Tombstone(
        at_ms=1_769_832_099_000,
        id=id_of(number),
        rrn=format_rrn(0, number + 100),
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch="000001",
        stan=f"{number:06d}",
        amount_minor=1234,
        currency="156",
        reason="98",
        institutions=("nanhai",),
    )


def groups(*records: tuple[Record, ...], first: int = 1) -> list[ProjectedGroup]:
    return [ProjectedGroup(first + n, row) for n, row in enumerate(records)]


def dump(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.begin() as connection:
        return {t.name: sorted(tuple(r) for r in connection.execute(select(t))) for t in schema.metadata.sorted_tables}


class Desk:
    """The service without NATS: slips in, questions out."""

    def __init__(self, file: Path) -> None:
        url = f"sqlite:///{file}"
        self.engine = open_engine(url, read_only=False)
        self.tracer = Tracer("receipts", "test")
        self.slips = SlipProjection(SlipStore(self.engine), names_of(built_in()), self.tracer)
        self.reader = open_engine(url, read_only=True)
        self.handlers = Handlers(SlipReader(self.reader), lambda: "")

    async def ask(self, number: int, copy: str = "merchant", *, reprint: bool = False) -> Slip | Refused:
        question = SlipQuestion(rrn=format_rrn(0, number), copy=copy, reprint=reprint)
        answer = await self.handlers.slip(Request("receipts", encode(question), None, 0))
        return decoder(Slip | Refused).decode(answer)

    async def text(self, number: int, copy: str = "merchant", *, reprint: bool = False) -> str:
        slip = await self.ask(number, copy, reprint=reprint)
        assert isinstance(slip, Slip)
        assert (slip.rrn, slip.copy) == (format_rrn(0, number), copy)
        return slip.text

    def close(self) -> None:
        self.engine.dispose()
        self.reader.dispose()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "receipts.db")
    yield desk
    desk.close()


JOURNAL = groups(
    (intent(1), intent(2), intent(3)),
    (outcome(1, trace=TRACE), outcome(2, State.DECLINED), intent(4)),
    (reversing(3), outcome(4), reversing(1)),
)


def test_lists_of_any_length_are_asked_for_with_few_statements(desk: Desk, tmp_path: Path) -> None:
    asked: set[str] = set()
    engine = open_engine(f"sqlite:///{tmp_path / 'few.db'}", read_only=False)
    event.listen(engine, "before_cursor_execute", lambda *about: asked.add(about[2]))
    store = SlipStore(engine)
    asked.clear()
    for length in range(1, 100):
        with store.writing("0") as writing:
            writing.file(names_of(built_in()), [outcome(number) for number in range(length)])
    assert sum("IN (" in statement for statement in asked) <= 2 * len((1, 2, 4, 8, 16, 32, 64, 128))


def test_redelivery_and_restart_change_nothing(desk: Desk, tmp_path: Path) -> None:
    for end in (1, 2, 3):
        desk.slips.apply("0", JOURNAL[:end])
        desk.slips.apply("0", JOURNAL[:end])
    live = dump(desk.engine)
    assert len(live["slips"]) == 2
    assert live["open_intents"] == []
    assert desk.slips.checkpoint("0") == 3
    again = Desk(tmp_path / "receipts.db")  # a new process on the same file
    again.slips.apply("0", JOURNAL)
    assert dump(again.engine) == live
    again.close()
    rebuilt = Desk(tmp_path / "rebuilt.db")
    rebuilt.slips.apply("0", JOURNAL)
    assert dump(rebuilt.engine) == live
    rebuilt.close()


def test_a_reversal_that_comes_again_changes_nothing_however_the_journal_is_cut(desk: Desk, tmp_path: Path) -> None:
    """The switch has archived the sale: it takes the repetition for a reversal of something unknown, later than the first."""
    journal = groups((intent(1),), (outcome(1),), (reversing(1),), (tombstone(1),))
    for end in range(1, len(journal) + 1):
        desk.slips.apply("0", journal[:end])
    at_once = Desk(tmp_path / "at-once.db")
    at_once.slips.apply("0", journal)
    assert dump(at_once.engine) == dump(desk.engine)
    at_once.close()
    (slip,) = dump(desk.engine)["slips"]
    assert slip[-2:] == (reversing(1).at_ms, "")


def test_a_poison_group_leaves_nothing_of_its_list(desk: Desk) -> None:
    desk.slips.apply("0", JOURNAL[:1])
    before = dump(desk.engine)
    with pytest.raises(ProjectionError, match="sequence 3, record 0: transaction 10000001:000001:000009"):
        desk.slips.apply("0", groups((outcome(1),), (outcome(9),), first=2))
    assert dump(desk.engine) == before
    with pytest.raises(ProjectionError, match="sequence 2 is missing, 4 follows"):
        desk.slips.apply("0", groups((outcome(1),), first=4))
    assert desk.slips.checkpoint("0") == 1


def test_a_span_hangs_below_the_approval(desk: Desk) -> None:
    desk.slips.apply("0", JOURNAL)
    spans = desk.tracer.take()
    assert [(s.name, s.shape.kind, s.context.trace_id, s.parent_id) for s in spans] == [
        ("file slip", 5, "a" * 32, "b" * 16)
    ]
    desk.slips.apply("0", JOURNAL)
    assert desk.tracer.take() == []


async def test_both_copies_and_their_reprints(desk: Desk) -> None:
    desk.slips.apply("0", JOURNAL)
    merchant = await desk.text(4)
    assert "云溪茶馆" in merchant
    assert "南海信用银行" in merchant
    assert "CARDHOLDER SIGNATURE" in merchant
    cardholder = await desk.text(4, "cardholder")
    assert "持卡人存根" in cardholder
    assert "SIGNATURE" not in cardholder
    reprint = (await desk.text(4, reprint=True)).splitlines()
    assert reprint[1].strip() == "--- 重打印 ---"
    assert [reprint[0], *reprint[2:]] == merchant.splitlines()


async def test_the_slip_of_a_reversed_sale_says_so(desk: Desk) -> None:
    desk.slips.apply("0", JOURNAL[:2])
    assert "REVERSED" not in await desk.text(1)
    desk.slips.apply("0", JOURNAL)
    for copy in ("merchant", "cardholder"):
        text = await desk.text(1, copy)
        assert "本交易已冲正(REVERSED)" in text
        assert "重打印" not in text


def void(number: int, of: int, kind: Kind = Kind.VOID) -> Intent:
    return replace(intent(number), kind=kind, original=id_of(of), original_rrn=format_rrn(0, of))


async def test_a_void_marks_the_slip_of_its_sale_while_it_stands(desk: Desk) -> None:
    journal = groups(
        (intent(1), outcome(1)),
        (void(2, of=1), outcome(2, State.DECLINED)),
        (void(3, of=1),),
        (outcome(3),),
        (reversing(3),),
        (void(4, of=1), outcome(4)),
    )
    voided = []
    for end in range(1, len(journal) + 1):
        desk.slips.apply("0", journal[:end])
        voided.append("本交易已被撤销(VOIDED)" in await desk.text(1))
    assert voided == [False, False, False, True, False, True]
    text = await desk.text(4, "cardholder")
    assert "消费撤销(VOID)" in text
    assert "原凭证号(ORIG VOUCHER): 000001" in text
    assert "原日期(ORIG DATE): 2026/01/31" in text
    assert "VOIDED" not in text


async def test_a_refund_and_a_completion_void_nothing(desk: Desk) -> None:
    hold = replace(intent(3), kind=Kind.PRE_AUTH)
    records = (intent(1), outcome(1), void(2, 1, Kind.REFUND), outcome(2), hold, outcome(3))
    desk.slips.apply("0", groups((*records, void(4, 3, Kind.COMPLETION), outcome(4))))
    assert "VOIDED" not in await desk.text(1)
    assert "VOIDED" not in await desk.text(3)
    assert "预授权金额(AUTH AMT)" in await desk.text(4)


async def test_a_look_has_no_slip(desk: Desk) -> None:
    desk.slips.apply("0", groups((replace(intent(1), kind=Kind.BALANCE, amount_minor=0), outcome(1))))
    assert await desk.ask(1) == Refused(reason="rrn: no approved transaction has this reference number")
    assert dump(desk.engine)["open_intents"] == []


async def test_questions_that_have_no_answer(desk: Desk) -> None:
    desk.slips.apply("0", JOURNAL)
    unknown = Refused(reason="rrn: no approved transaction has this reference number")
    assert await desk.ask(99) == unknown
    assert await desk.ask(2) == unknown  # declined
    assert await desk.ask(3) == unknown  # reversed before anybody was told of an approval
    assert await desk.ask(4, "bank") == Refused(reason="copy: take merchant or cardholder")
    broken = decoder(Slip | Refused).decode(await desk.handlers.slip(Request("receipts", b'{"rrn":7}', None, 0)))
    assert isinstance(broken, Refused)
    assert "rrn" in broken.reason


async def test_status(desk: Desk) -> None:
    desk.slips.apply("1", JOURNAL[:1])
    answer = decoder(ProjectionStatus).decode(await desk.handlers.status(Request("receipts", b"", None, 0)))
    assert answer == ProjectionStatus(checkpoints={"1": 1})


@pytest.mark.parametrize("kept", [("merchant_copy",), ("merchant_copy", "cardholder_copy")])
def test_tables_that_kept_the_text_of_the_copies_are_made_again_without_it(
    tmp_path: Path, kept: tuple[str, ...]
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/old.db", read_only=False)
    SlipProjection(SlipStore(engine), names_of(built_in()), Tracer("receipts", "r-1")).apply("0", JOURNAL)
    before = dump(engine)
    with engine.begin() as connection:
        for name in kept:
            connection.execute(text(f"ALTER TABLE slips ADD COLUMN {name} TEXT NOT NULL DEFAULT 'as it was printed'"))
    slips = SlipProjection(SlipStore(engine), names_of(built_in()), Tracer("receipts", "r-1"))
    assert slips.checkpoint("0") == 0
    slips.apply("0", JOURNAL)
    assert dump(engine) == before
    assert {column["name"] for column in inspect(engine).get_columns("slips")} == {c.name for c in schema.slips.columns}
    slips.apply("0", groups((intent(90), outcome(90)), first=len(JOURNAL) + 1))
    reader = SlipReader(engine).slip(format_rrn(0, 90))
    assert reader is not None
    assert reader.facts.rrn == format_rrn(0, 90)
