"""The screens of `lianji pos`, every step of every job, compared with the files in tests/golden/pos."""

from __future__ import annotations

from pathlib import Path

import pytest

import world
from contracts.kinds import Kind
from contracts.paper import WIDTH, columns
from lianji.pos import Action, Desk, Facts, Job, Menu, Setting, begin, done, draw, press
from lianji.pos.keyboard import shown

FILES = Path(__file__).parent / "pos"
FACTS = Facts(merchant="云溪茶馆", tid="10000001", batch="000001")
ASKING = Facts(
    merchant="云溪茶馆",
    tid="10000001",
    batch="000002",
    waiting=("冲正待发 REVERSAL WAITS: 000021", "通知待发 NOTICES WAIT: 2"),
    approvals=frozenset({Kind.VOID, Kind.REFUND}),
)
CREDIT_1 = next(card.pan.clear() for card in world.built_in().cards if card.name == "credit-1")
SWIPED, OF_A_VOUCHER = ["debit-1"], ["000012", "debit-1"]

KEYS: dict[Job, list[str]] = {
    Kind.SALE: ["1", "nobody", "debit-1", "12.34", "1234", "12", "123456"],
    Kind.VOID: ["2", *OF_A_VOUCHER, ""],
    Kind.REFUND: ["3", "000001/000012/0131", "010000000042", CREDIT_1, "3512", "6800"],
    Kind.PRE_AUTH: ["4", "1", "debit-1/I", "debit-ic/I", "100000", "123456"],
    Kind.PRE_AUTH_VOID: ["4", "2", "000001/000012/0131", "A1B2C3", *SWIPED, "100000", ""],
    Kind.COMPLETION: ["4", "3", *OF_A_VOUCHER, "86000", "123456"],
    Kind.COMPLETION_ADVICE: ["4", "4", *OF_A_VOUCHER, "86000"],
    Kind.COMPLETION_VOID: ["4", "5", *OF_A_VOUCHER, ""],
    Kind.BALANCE: ["5", *SWIPED, "123456"],
    Kind.INSTALMENT: ["6", "1", "credit-1", "360000", "12", "123456"],
    Kind.INSTALMENT_VOID: ["6", "2", "000012", "credit-1", "123456"],
    Kind.TRANSFER: ["7", "1", *SWIPED, "credit-1", "20000", "123456"],
    Kind.CARD_CHECK: ["7", "2", *SWIPED, "123456"],
    Kind.OFFLINE_SALE: ["8", "debit-ic/C", "2500"],
    Action.LOG_IN: ["1", "01", "0000"],
    Action.SETTLE: ["9"],
    Action.SIGN_ON: ["0", "1"],
    Action.SIGN_OFF: ["0", "2"],
    Action.REPRINT: ["0", "3", "000012"],
    Action.TOTALS: ["0", "4"],
    Action.PASSWORD: ["0", "5", "1234"],
    Action.CASHIER: ["0", "6", "02", "1111"],
    Action.ECHO: ["0", "7"],
    Action.DOWNLOAD: ["0", "8", "5", "4"],
    Action.LOG_OUT: ["0", "9"],
    Action.RESET: ["0", "0", "2", "01", "4321"],
    Action.DELETE: ["0", "0", "3", "x", "02"],
    Setting.SUPERVISOR_FOR_VOIDS: ["0", "0", "1", "1", "yes", "1"],
    Setting.SUPERVISOR_FOR_REFUNDS: ["0", "0", "1", "2", "1"],
    Setting.PIN_FOR_VOIDS: ["0", "0", "1", "3", "0"],
    Setting.TAKES_PART: ["0", "0", "1", "4", "1"],
    Setting.CONTACTLESS_LIMIT: ["0", "0", "1", "5", "1.00", "30000"],
    Setting.OFFLINE_LIMIT: ["0", "0", "1", "6", "0"],
    Setting.OFFLINE_MOST: ["0", "0", "1", "7", "1000", "5"],
}
"""Of each job: how an operator gets there, and what it asks."""


def played(desk: Desk, keys: list[str], facts: Facts = FACTS) -> tuple[str, Desk]:
    """Screens and keys as `lianji pos` shows them to a pipe, and where they lead."""
    lines = []
    for key in keys:
        lines.append(f"{draw(desk, facts)}> {shown(key, desk.echo)}\n")
        desk = press(desk, key, facts)
    return "".join(lines), desk


def at_the_menu() -> Desk:
    return done(begin(), operator="01")


@pytest.mark.parametrize("job", [*Kind, *Action, *Setting])
def test_every_job_asks_what_it_needs(job: Job) -> None:
    text, desk = played(begin() if job is Action.LOG_IN else at_the_menu(), KEYS[job])
    assert desk.ready is job
    assert text == (FILES / f"{job}.txt").read_text(encoding="utf-8")


def test_a_terminal_that_asks_for_the_supervisor_and_has_something_waiting() -> None:
    text, desk = played(at_the_menu(), ["2", "123456", *OF_A_VOUCHER, ""], ASKING)
    assert (desk.ready, desk.entries.approval) == (Kind.VOID, "123456")
    assert text == (FILES / "void-with-approval.txt").read_text(encoding="utf-8")


def test_cancelling_goes_one_step_back() -> None:
    text, desk = played(at_the_menu(), ["4", "1", "debit-1", "*", "*", "x"])
    assert (desk.menu, desk.job, desk.entries.card) == (Menu.MAIN, None, None)
    assert text + draw(desk, FACTS) == (FILES / "cancelled.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(FILES.glob("*.txt")), ids=lambda path: path.stem)
def test_no_screen_is_wider_than_the_paper(file: Path) -> None:
    assert all(columns(line) <= WIDTH for line in file.read_text(encoding="utf-8").splitlines())
