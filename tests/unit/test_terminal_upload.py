"""A terminal whose batch did not balance: what it uploads, what it remembers of that, and how it goes on after silence or a power cut."""

from __future__ import annotations

from pathlib import Path

import pytest

import iso8583
import world
from iso8583 import Message, parse_details
from terminal_sim.changes import apply
from terminal_sim.entries import Snapshot
from terminal_sim.memory import TerminalMemory, memory_path
from terminal_sim.outcomes import CloseOutcome, SignOnOutcome, TransactionOutcome, UploadOutcome
from terminal_sim.practice import Held, PracticeHost
from terminal_sim.record import new_record
from terminal_sim.schemes import seal_of
from terminal_sim.state import State
from terminal_sim.terminal import Terminal
from terminal_sim.upload import details_of
from terminal_sim.uploaded import DetailsUploaded, UploadBegun
from tests.support_chip import chip_of, dialogue

FACTS = world.built_in().terminal("10000001")
CARD = world.built_in().cards[0]
TRACK = world.track2(CARD)


@pytest.fixture
def host() -> PracticeHost:
    return PracticeHost()


@pytest.fixture
def terminal(host: PracticeHost) -> Terminal:
    """Signed on, with the sales 1 to 9 and one that was declined, and a host that holds one more."""
    terminal = switched_on()
    assert isinstance(outcome_of(terminal, host, terminal.sign_on().send), SignOnOutcome)
    for amount in (*range(1, 10), 5_000_000):
        step = terminal.sell(TRACK, amount, "", now_ms=1)
        assert isinstance(outcome_of(terminal, host, step.send), TransactionOutcome)
    host.held[f"{terminal.tid}:000001:999999"] = Held(5, "000001", "00", "000000000099")
    settled = outcome_of(terminal, host, terminal.settle().send)
    assert isinstance(settled, CloseOutcome)
    assert settled.result == "2"
    return terminal


def switched_on(record: object = None) -> Terminal:
    assert FACTS is not None
    terminal = Terminal(
        tid=FACTS.tid,
        mid=FACTS.merchant,
        record=record or new_record(FACTS.tid),  # type: ignore[arg-type]
        seal=seal_of(FACTS),
    )
    terminal.log_in("01", "0000")
    return terminal


def outcome_of(terminal: Terminal, host: PracticeHost, body: bytes) -> object:
    return terminal.receive(host.answer(body), now_ms=1).outcome


def upload(terminal: Terminal, host: PracticeHost, *, code: str = "") -> tuple[Message, UploadOutcome]:
    """One message and what came of it; `code` instead of the host's word."""
    step = terminal.upload()
    request = iso8583.decode(step.send)
    answer = host.answer(step.send)
    if code:
        answer = iso8583.encode(Message("0330", {**iso8583.decode(answer).fields, 39: code}))
    outcome = terminal.receive(answer, now_ms=7).outcome
    assert isinstance(outcome, UploadOutcome)
    return request, outcome


def test_all_that_counts_goes_up_eight_at_a_time_and_no_card_number_with_it(
    terminal: Terminal, host: PracticeHost
) -> None:
    requests = [upload(terminal, host) for _ in range(3)]
    assert [r.text(60) for r, _ in requests] == ["00000001201", "00000001201", "00000001202"]
    told = [detail for r, _ in requests[:2] for detail in parse_details(r.text(48))]
    assert [(d.stan, d.amount_minor) for d in told] == [(f"{n + 1:06d}", n) for n in range(1, 10)]
    assert [len(parse_details(r.text(48))) for r, _ in requests[:2]] == [8, 1]
    assert requests[2][0].text(48) == "0009"
    assert all(detail[8:28] == "0" * 20 for detail in _cut(requests[0][0].text(48)))
    assert len({r.text(11) for r, _ in requests}) == 3
    assert [o.ended for _, o in requests] == [False, False, True]
    (closed,) = terminal.record.closed
    assert (closed.uploaded, closed.totals.debit_count, closed.at_ms) == (True, 9, 7)
    assert terminal.record.closing is None
    assert terminal.state is State.LOGGED_IN, "the batch's end is the session's"
    assert host.held[f"{terminal.tid}:000001:999999"].reversed


def _cut(text: str) -> list[str]:
    return [text[at : at + 40] for at in range(2, len(text), 40)]


def test_silence_sends_the_same_details_again_under_another_number(terminal: Terminal, host: PracticeHost) -> None:
    first = iso8583.decode(terminal.upload().send)
    outcome = terminal.lose().outcome
    assert isinstance(outcome, UploadOutcome)
    assert outcome.response_code == ""
    again, _ = upload(terminal, host)
    assert again.text(48) == first.text(48)
    assert again.text(11) != first.text(11)
    while terminal.record.closing is not None:
        upload(terminal, host)
    assert terminal.record.closed[0].uploaded


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_after_a_power_cut_it_goes_on_behind_what_was_answered(
    terminal: Terminal, host: PracticeHost, tmp_path: Path, cut: int
) -> None:
    memory = TerminalMemory.open(tmp_path, terminal.tid)
    memory.append([Snapshot(record=terminal.record)])
    for _ in range(cut):
        step = terminal.upload()
        memory.append(step.save)
        memory.append(terminal.receive(host.answer(step.send), now_ms=1).save)
    memory.append(terminal.upload().save)  # sent, and the power goes
    memory.close()
    assert CARD.pan.clear() not in memory_path(tmp_path, terminal.tid).read_text()
    memory = TerminalMemory.open(tmp_path, terminal.tid)
    later = switched_on(memory.record)
    if later.state is not State.SIGNED_ON:
        outcome_of(later, host, later.sign_on().send)
    close = later.record.closing
    assert close is not None
    assert (close.uploading, close.uploaded) == (True, min(8 * cut, 9))
    while later.record.closing is not None:
        upload(later, host)
    assert later.record.closed[0].uploaded
    memory.close()


@pytest.mark.parametrize(("code", "goes_on"), [("96", True), ("12", False), ("94", False), ("30", False)])
def test_a_refusal_that_may_pass_is_tried_again_and_any_other_asks_for_the_close_anew(
    terminal: Terminal, host: PracticeHost, code: str, goes_on: bool
) -> None:
    upload(terminal, host)
    _, outcome = upload(terminal, host, code=code)
    assert (outcome.response_code, outcome.ended) == (code, False)
    assert (terminal.record.closing is not None) is goes_on
    assert terminal.record.closed == []
    if not goes_on:
        again = iso8583.decode(terminal.settle().send)
        assert again.mti == "0500"
        assert terminal.record.closing is not None
        assert terminal.record.closing.uploaded == 0


def test_what_a_terminal_counts_is_what_it_uploads(terminal: Terminal) -> None:
    """Totals and details are two ways to say the same."""
    totals = terminal.record.totals("000001")
    details = details_of(terminal.record, "000001")
    assert totals.debit_count + totals.credit_count == len(details)
    assert totals.debit_minor + totals.credit_minor == sum(d.amount_minor for d in details)
    assert details_of(terminal.record, "000002") == ()


def test_entries_of_an_upload_add_up_whatever_stands_before_them() -> None:
    """A memory that has lost its tail may hold them without their close."""
    record = new_record("10000001")
    for entry in (UploadBegun(), DetailsUploaded(count=8)):
        assert apply(record, entry).closing is None


def test_what_a_chip_has_certified_goes_alone_with_its_certificate(host: PracticeHost) -> None:
    terminal = switched_on()
    outcome_of(terminal, host, terminal.sign_on().send)
    for number, amount in enumerate((1, 2, 3, 4), 1):
        outcome_of(terminal, host, terminal.sell(TRACK, amount, "", now_ms=1).send)
        if number == 3:
            *_, sold = terminal.record.transactions.values()
            sold.chip, sold.certificate = dialogue(chip_of("debit-ic")).field_55.hex(), "0123456789ABCDEF"
    host.held[f"{terminal.tid}:000001:999999"] = Held(5, "000001", "00", "000000000099")
    outcome_of(terminal, host, terminal.settle().send)
    messages = []
    while terminal.record.closing is not None:
        message, _ = upload(terminal, host)
        messages.append((message.text(60)[8:11], len(message.text(48)), message.data(55).hex().upper()))
    told = "9F26080123456789ABCDEF9F2701409F36020001"
    assert messages == [("201", 82, ""), ("203", 42, told), ("201", 42, ""), ("202", 4, "")]
