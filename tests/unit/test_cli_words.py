"""What commands say about what they have found."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

import world
from contracts.authorization import Totals
from contracts.identity import format_rrn
from contracts.journal import BatchClosed, BatchUnbalanced, EpochStarted, Outcome, Record, Reversing, Tombstone
from contracts.kinds import Kind
from contracts.money import Money
from contracts.states import State
from contracts.terms import Balance, InstalmentTerms
from lianji.commands.journal import _show as show_journal
from lianji.commands.journal import facts
from lianji.commands.slip import why_none
from lianji.commands.swipe import _show as show_swipe
from lianji.commands.swipe import show
from lianji.commands.up import ready_text
from lianji.commands.verify import Checked
from lianji.commands.verify import show as show_verify
from lianji.errors import CliError
from lianji.journal import Entry
from lianji.stack import Stack
from lianji.verify import Finding, gather
from terminal_sim.results import SwipeResult
from tests.support_verify import sources_of

RRN, ID = format_rrn(1, 2), "10000001:000001:000002"
TOTALS = Totals(debit_count=4, debit_minor=30414)
BATCH = {
    "terminal": "10000001",
    "merchant": "482290058130001",
    "batch": "000001",
    "operator": "001",
    "stan": "000009",
    "rrn": RRN,
    "currency": "156",
    "at_ms": 1,
}
CLOSED = BatchClosed(**BATCH, next_batch="000002", totals=TOTALS)
CLOSED_EMPTY = BatchClosed(**BATCH, next_batch="000002", totals=Totals())
DECLINED = Outcome(id=ID, state=State.DECLINED, response_code="55", at_ms=2)
APPROVED = Outcome(id=ID, state=State.APPROVED, response_code="00", at_ms=2)
REVERSING = Reversing(id=ID, reason="98", origin="terminal", at_ms=3)
# A tombstone stands for the record that was given the number; an intent differs only in what this does not look at.
FIRST = Tombstone(
    id=ID,
    rrn=RRN,
    kind=Kind.SALE,
    terminal="10000001",
    merchant="482290058130001",
    batch="000001",
    stan="000002",
    amount_minor=1,
    currency="156",
    reason="98",
    institutions=("huaxing",),
    at_ms=1,
)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ((FIRST, DECLINED), "was declined (55 wrong PIN)"),
        ((FIRST, APPROVED), ""),
        ((FIRST, APPROVED, REVERSING), ""),
        ((FIRST, REVERSING), "was reversed and never approved"),
        ((CLOSED,), "is no sale"),
    ],
)
def test_why_there_is_no_slip(records: tuple[Record, ...], reason: str) -> None:
    assert why_none(records) == reason


@pytest.mark.parametrize(
    ("record", "keys"),
    [
        (CLOSED, ("totals",)),
        (BatchUnbalanced(**BATCH, host=TOTALS, terminal_totals=TOTALS), ("host", "terminal_totals")),
    ],
)
def test_totals_in_words(record: Record, keys: tuple[str, ...]) -> None:
    said = facts(msgspec.to_builtins(record))
    for key in keys:
        assert f"{key} debit 4 = 304.14, credit 0 = 0.00" in said
    assert "{" not in said


def test_the_journal_s_columns_have_names(capsys: pytest.CaptureFixture[str]) -> None:
    show_journal(RRN, [Entry(1, 0, CLOSED)])
    head = next(line for line in capsys.readouterr().out.splitlines() if "sequence" in line)
    assert [cell.strip() for cell in head.strip("┃ ").split("┃")] == ["sequence", "time", "record", "facts"]


@pytest.mark.parametrize(
    ("broken", "empty", "verdict"),
    [(0, True, "nothing to check yet"), (0, False, "all held"), (1, True, "NOT held")],
)
def test_verdict(capsys: pytest.CaptureFixture[str], broken: int, empty: bool, verdict: str) -> None:
    checked = Checked({"I1": Finding(name="sums", broken=broken)}, [], empty)
    assert checked.held is (broken == 0)
    show_verify(checked, 0.1)
    assert capsys.readouterr().out.splitlines()[-1] == f"{verdict}, 0.1 s"


async def test_a_new_owner_is_nothing_to_check_and_a_closed_batch_is_something(tmp_path: Path) -> None:
    epoch = EpochStarted(epoch=1, owner="auth-a", at_ms=1)
    with closing(await gather(sources_of(tmp_path / "a", [epoch]))) as evidence:
        assert evidence.empty
        assert not evidence._replace(damage=[("journal.v1.0", "a gap")]).empty
    with closing(await gather(sources_of(tmp_path / "b", [epoch, CLOSED_EMPTY]))) as evidence:
        assert not evidence.empty


def test_a_swipe_without_a_usable_answer(capsys: pytest.CaptureFixture[str]) -> None:
    card = world.built_in().card("debit-1")
    assert card is not None
    with pytest.raises(CliError, match=r"no usable answer \(silence\): its reversal is kept") as caught:
        show_swipe(SwipeResult(reason="silence", pending=True), card, Money(1234))
    assert caught.value.exit_code == 1
    assert capsys.readouterr().out == "", "the line is the error's, on stderr"


def test_what_answers_of_other_kinds_bring_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"rc": "00", "rrn": RRN, "batch": "000001", "stan": "000002"}
    show(SwipeResult(kind=Kind.BALANCE, balance=Balance(available_minor=-5, currency="156"), **told), "head")
    part = SwipeResult(kind=Kind.SALE, amount_minor=1234, part_minor=1000, **{**told, "rc": "10"})
    show(part, "head")
    terms = InstalmentTerms(first_minor=209, currency="156", fee_minor=44)
    show(SwipeResult(kind=Kind.INSTALMENT, terms=terms, **told), "head")
    output = capsys.readouterr().out
    assert "available RMB -0.05\n" in output
    assert "approved RMB 10.00 of 12.34\n" in output
    assert "first payment RMB 2.09  fee RMB 0.44\n" in output
    assert output.count("lianji slip") == 2, "there is no slip of a balance"


def test_what_waits_at_the_terminal_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show(SwipeResult(kind=Kind.OFFLINE_SALE, stored=True, batch="000001", stan="000002"), "head")
    assert "approved by the terminal, to be told before its next transaction" in capsys.readouterr().out
    with pytest.raises(CliError, match=r"no usable answer \(no answer\): it is kept and sent again"):
        show(SwipeResult(kind=Kind.REFUND, stored=True, reason="no answer"), "head")
    with pytest.raises(CliError, match="ask again"):
        show(SwipeResult(kind=Kind.BALANCE, reason="no answer"), "head")


def test_the_ready_text_s_command_can_be_typed(tmp_path_factory: pytest.TempPathFactory) -> None:
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.broker.port = 4222
    key = stack.data_dir / "run" / "auditor.nk"
    command = f"nats --server nats://127.0.0.1:4222 --nkey {key} --inbox-prefix _INBOX.auditor micro ls"
    assert f"if you have the nats CLI: {command}\n" in ready_text(stack)
