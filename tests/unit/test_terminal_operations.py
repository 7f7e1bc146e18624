"""The terminal's operations one by one: what it sends, what it refuses, what ends a transaction."""

from __future__ import annotations

import pytest

import iso8583
import world
from contracts.batch import MOST_WITH_SALES
from iso8583 import Field60, Message, Totals48
from terminal_sim.changes import apply
from terminal_sim.entries import Sent
from terminal_sim.outcomes import (
    CloseOutcome,
    Entered,
    PlainOutcome,
    Refused,
    ReversalOutcome,
    SignOnOutcome,
    Step,
    TransactionOutcome,
)
from terminal_sim.practice import Held, PracticeHost
from terminal_sim.record import new_record
from terminal_sim.schemes import seal_of
from terminal_sim.state import TRANSITIONS, IllegalMoveError, State, advance
from terminal_sim.terminal import Terminal
from terminal_sim.waiting import REVERSAL_TRIES

CARD = world.built_in().cards[0]
TRACK = world.track2(CARD)


@pytest.fixture
def host() -> PracticeHost:
    return PracticeHost(limit_minor=5000)


WITH_SESSION_KEYS = {"10000001": "CUP-ECB", "10000005": "X9.19", "10000006": "X9.9", "10000011": "format 3"}
DERIVING = {"10000009": "TDES DUKPT", "10000010": "AES DUKPT", "10000012": "TDES DUKPT, format 3"}
EVERY = WITH_SESSION_KEYS | DERIVING


@pytest.fixture(params=list(EVERY), ids=list(EVERY.values()))
def terminal(request: pytest.FixtureRequest) -> Terminal:
    facts = world.built_in().terminal(request.param)
    assert facts is not None
    return Terminal(tid=facts.tid, mid=facts.merchant, record=new_record(facts.tid), seal=seal_of(facts))


@pytest.fixture
def signed_on(terminal: Terminal, host: PracticeHost) -> Terminal:
    terminal.log_in("01", "0000")
    terminal.receive(host.answer(terminal.sign_on().send), now_ms=1)
    assert terminal.state is State.SIGNED_ON
    return terminal


def sell(terminal: Terminal, amount: int = 1234, pin: str = "123456") -> Step:
    return terminal.sell(TRACK, amount, pin, now_ms=1)


def sold(terminal: Terminal, host: PracticeHost, amount: int = 1234) -> TransactionOutcome:
    outcome = terminal.receive(host.answer(sell(terminal, amount).send), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    return outcome


def changed(body: bytes, fields: dict[int, str | bytes]) -> bytes:
    message = iso8583.decode(body)
    message.fields.update(fields)
    return iso8583.encode(message)


# Operators


@pytest.mark.parametrize(("operator", "password"), [("01", "0001"), ("02", "0000"), ("", "")])
def test_a_wrong_password_is_refused(terminal: Terminal, operator: str, password: str) -> None:
    assert isinstance(terminal.log_in(operator, password).outcome, Refused)
    assert terminal.state is State.IDLE


def test_a_password_can_be_changed(terminal: Terminal) -> None:
    terminal.log_in("01", "0000")
    assert isinstance(terminal.set_password("4711").outcome, Entered)
    terminal.log_out()
    assert isinstance(terminal.log_in("01", "0000").outcome, Refused)
    assert isinstance(terminal.log_in("01", "4711").outcome, Entered)


def test_what_each_state_refuses(terminal: Terminal) -> None:
    for operation in (terminal.sign_on, terminal.settle, terminal.reverse, terminal.echo, terminal.sign_off):
        assert isinstance(operation().outcome, Refused)
    terminal.log_in("01", "0000")
    assert isinstance(terminal.log_in("01", "0000").outcome, Refused)
    assert isinstance(sell(terminal).outcome, Refused)
    terminal.sign_on()
    assert isinstance(terminal.log_out().outcome, Refused)  # one request is in flight
    assert isinstance(terminal.sign_on().outcome, Refused)


def test_the_table_is_the_only_way() -> None:
    assert set(TRANSITIONS) == set(State)
    with pytest.raises(IllegalMoveError):
        advance(State.IDLE, State.REQUESTING)


# Sign-on


@pytest.mark.parametrize("keys", ["001", "003"])
def test_sign_on_asks_with_operator_and_key_length(terminal: Terminal, keys: str) -> None:
    terminal.log_in("01", "0000")
    message = iso8583.decode(terminal.sign_on(keys).send)
    assert (message.mti, message.text(41), message.text(63)) == ("0800", terminal.tid, "001")
    assert Field60.parse(message.text(60)) == Field60("00", "000000", keys)
    assert 64 not in message.fields


@pytest.mark.parametrize("terminal", WITH_SESSION_KEYS, indirect=True)
def test_wrong_keys_give_no_session(terminal: Terminal, host: PracticeHost) -> None:
    terminal.log_in("01", "0000")
    answer = iso8583.decode(host.answer(terminal.sign_on().send))
    keys = bytearray(answer.data(62))
    keys[0] ^= 0xFF
    answer.fields[62] = bytes(keys)
    outcome = terminal.receive(iso8583.encode(answer), now_ms=1).outcome
    assert isinstance(outcome, SignOnOutcome)
    assert not outcome.signed_on
    assert "check value" in outcome.reason
    assert terminal.state is State.LOGGED_IN


def test_a_refused_sign_on_says_why(terminal: Terminal, host: PracticeHost) -> None:
    terminal.log_in("01", "0000")
    answer = changed(host.answer(terminal.sign_on().send), {39: "97"})
    outcome = terminal.receive(answer, now_ms=1).outcome
    assert isinstance(outcome, SignOnOutcome)
    assert outcome.reason == "sign-on refused: 97 unknown terminal"


# Sale


@pytest.mark.parametrize(
    ("terminal", "block", "control"),
    [
        ("10000001", {52}, "2600000000000000"),
        ("10000011", {52}, "3600000000000000"),
        ("10000009", {52, 59}, "2600000000000000"),
        ("10000010", {59}, "4400000000000000"),
        ("10000012", {52, 59}, "3600000000000000"),
    ],
    indirect=["terminal"],
)
def test_a_sale_on_the_wire(signed_on: Terminal, block: set[int], control: str) -> None:
    message = iso8583.decode(sell(signed_on).send)
    assert message.mti == "0200"
    assert set(message.fields) == {3, 4, 11, 22, 25, 26, 35, 41, 42, 49, 53, 60, 64, *block}
    expected = {3: "000000", 4: "000000001234", 22: "021", 25: "00", 26: "12", 49: "156", 53: control}
    assert {n: message.fields[n] for n in expected} == expected
    assert message.text(35) == TRACK.clear()
    assert message.text(60).startswith("22000001")


def test_a_sale_without_pin(signed_on: Terminal) -> None:
    message = iso8583.decode(sell(signed_on, pin="").send)
    assert message.text(22) == "022"
    assert not {26, 52, 53} & set(message.fields)


@pytest.mark.parametrize(("amount", "pin"), [(0, "123456"), (-1, ""), (10**12, ""), (1, "12"), (1, "12345a")])
def test_what_cannot_be_sold_is_refused_before_anything_is_saved(signed_on: Terminal, amount: int, pin: str) -> None:
    step = sell(signed_on, amount, pin)
    assert isinstance(step.outcome, Refused)
    assert (step.save, step.send) == ((), b"")
    assert signed_on.state is State.SIGNED_ON


def test_the_reversal_is_saved_before_the_request_is_sent(signed_on: Terminal) -> None:
    step = sell(signed_on)
    assert isinstance(step.save[-1], Sent)
    after_a_crash = new_record(signed_on.tid)
    for entry in step.save:
        apply(after_a_crash, entry)
    assert after_a_crash.pending is not None
    assert (after_a_crash.pending.stan, after_a_crash.pending.reason) == (iso8583.decode(step.send).text(11), "98")


def test_an_approval_and_a_decline_end_it(signed_on: Terminal, host: PracticeHost) -> None:
    assert sold(signed_on, host).approved
    declined = sold(signed_on, host, amount=5001)
    assert (declined.response_code, declined.pending) == ("51", False)
    assert signed_on.record.pending is None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda body: changed(body, {64: b"00000000"}), "A0"),
        (lambda body: changed(body, {39: "51"}), "A0"),
        (lambda body: body[:-9], "06"),
    ],
    ids=["wrong MAC", "changed code", "cut short"],
)
def test_an_answer_that_cannot_be_trusted_is_reversed(
    signed_on: Terminal, host: PracticeHost, spoil: object, reason: str
) -> None:
    assert callable(spoil)
    outcome = signed_on.receive(spoil(host.answer(sell(signed_on).send)), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    assert outcome.pending
    assert outcome.response_code == ""
    message = iso8583.decode(signed_on.reverse().send)
    assert (message.mti, message.text(39)) == ("0400", reason)


def test_an_approval_of_another_amount_is_reversed(signed_on: Terminal, host: PracticeHost) -> None:
    step = sell(signed_on, 100)
    request = iso8583.decode(step.send)
    answer = iso8583.decode(host.answer(step.send))
    answer.fields[4] = "000000000001"
    outcome = signed_on.receive(host.seal(request, answer), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    assert (outcome.pending, outcome.approved) == (True, False)
    assert signed_on.record.pending is not None
    assert signed_on.record.pending.reason == "06"


def test_somebody_elses_answer_is_waited_past(signed_on: Terminal, host: PracticeHost) -> None:
    answer = host.answer(sell(signed_on).send)
    for fields in ({11: "999999"}, {41: "99999999"}):
        assert signed_on.receive(changed(answer, fields), now_ms=1) == Step()
    assert isinstance(signed_on.receive(answer, now_ms=1).outcome, TransactionOutcome)
    assert signed_on.receive(answer, now_ms=1) == Step()  # nothing is in flight any more


@pytest.mark.parametrize("terminal", WITH_SESSION_KEYS, indirect=True)
def test_a_host_without_keys_makes_it_sign_on_again(signed_on: Terminal, host: PracticeHost) -> None:
    host.forget_keys()
    outcome = sold(signed_on, host)
    assert outcome.pending  # an A0 without a MAC could be anybody's
    assert "MAC error" in outcome.reason
    assert signed_on.state is State.LOGGED_IN


# Reversal


def test_a_reversal_repeats_the_original_without_the_card(signed_on: Terminal, host: PracticeHost) -> None:
    original = iso8583.decode(sell(signed_on).send)
    signed_on.lose()
    reversal = iso8583.decode(signed_on.reverse().send)
    same = (3, 4, 11, 22, 25, 41, 42, 49, 60)
    assert {n: reversal.fields[n] for n in same} == {n: original.fields[n] for n in same}
    assert set(reversal.fields) == {*same, 39, 64} | ({59} if signed_on.tid in DERIVING else set())
    assert 59 not in reversal.fields or reversal.data(59) != original.data(59)


@pytest.mark.parametrize("code", ["00", "12", "25"])
def test_these_answers_end_a_reversal(signed_on: Terminal, host: PracticeHost, code: str) -> None:
    outcome = _reversed_with(signed_on, host, code)
    assert outcome.ended
    assert signed_on.record.pending is None
    assert all(t.reversed for t in signed_on.record.transactions.values())


@pytest.mark.parametrize("code", ["96", "64", "30"])
def test_these_do_not(signed_on: Terminal, host: PracticeHost, code: str) -> None:
    assert not _reversed_with(signed_on, host, code).ended
    assert signed_on.record.pending is not None


def _reversed_with(terminal: Terminal, host: PracticeHost, code: str) -> ReversalOutcome:
    """The reversal of a lost sale, answered with `code` and a right MAC."""
    sell(terminal)
    terminal.lose()
    request = iso8583.decode(terminal.reverse().send)
    answer = Message("0410", {**request.fields, 39: code})
    outcome = terminal.receive(host.seal(request, answer), now_ms=1).outcome
    assert isinstance(outcome, ReversalOutcome)
    return outcome


def test_a_forged_answer_does_not_end_a_reversal(signed_on: Terminal, host: PracticeHost) -> None:
    sell(signed_on)
    signed_on.lose()
    request = iso8583.decode(signed_on.reverse().send)
    forged = iso8583.encode(Message("0410", {**request.fields, 39: "00", 64: b"00000000"}))
    outcome = signed_on.receive(forged, now_ms=1).outcome
    assert isinstance(outcome, ReversalOutcome)
    assert not outcome.ended
    assert signed_on.record.pending is not None


def test_after_three_tries_it_stays_and_blocks(signed_on: Terminal, host: PracticeHost) -> None:
    sell(signed_on)
    signed_on.lose()
    for tries in range(1, REVERSAL_TRIES + 1):
        signed_on.reverse()
        outcome = signed_on.lose().outcome
        assert isinstance(outcome, ReversalOutcome)
        assert (outcome.tries, outcome.ended) == (tries, False)
    for step in (signed_on.reverse(), sell(signed_on)):
        assert isinstance(step.outcome, Refused)
        assert "has not gone through after 3 tries" in step.outcome.reason
    step = signed_on.reverse(new_round=True)
    outcome = signed_on.receive(host.answer(step.send), now_ms=1).outcome
    assert isinstance(outcome, ReversalOutcome)
    assert outcome.ended
    assert sold(signed_on, host).approved


# Batch


def test_totals_count_what_is_approved_and_not_reversed(signed_on: Terminal, host: PracticeHost) -> None:
    sold(signed_on, host, 100)
    sold(signed_on, host, 5001)
    sell(signed_on, 7)
    signed_on.lose()
    signed_on.receive(host.answer(signed_on.reverse().send), now_ms=1)
    sold(signed_on, host, 23)
    step = signed_on.settle()
    message = iso8583.decode(step.send)
    assert Totals48.parse(message.text(48))[:4] == (123, 2, 0, 0)
    assert (message.mti, message.text(63), message.text(60)) == ("0500", "001", "00000001201")
    outcome = signed_on.receive(host.answer(step.send), now_ms=9).outcome
    assert isinstance(outcome, CloseOutcome)
    assert outcome.balanced
    assert signed_on.record.closed[0].at_ms == 9
    assert signed_on.state is State.LOGGED_IN
    signed_on.receive(host.answer(signed_on.sign_on().send), now_ms=1)
    assert signed_on.record.batch == "000002"
    assert sold(signed_on, host).batch == "000002"


def test_a_batch_that_does_not_balance_is_not_closed_before_it_is_uploaded(
    signed_on: Terminal, host: PracticeHost
) -> None:
    host.held[f"{signed_on.tid}:000001:999999"] = Held(5, "000001", "00", "000000000099")
    outcome = signed_on.receive(host.answer(signed_on.settle().send), now_ms=1).outcome
    assert isinstance(outcome, CloseOutcome)
    assert (outcome.result, outcome.balanced) == ("2", False)
    assert outcome.host is not None
    assert outcome.host.debit_count == 1
    assert signed_on.record.closed == []
    step = sell(signed_on)
    assert isinstance(step.outcome, Refused)
    assert "close of batch 000001 has begun" in step.outcome.reason
    assert isinstance(signed_on.settle().outcome, Refused)


def test_a_half_finished_close_resumes_alike_and_blocks_sales(signed_on: Terminal, host: PracticeHost) -> None:
    sold(signed_on, host, 100)
    first = signed_on.settle().send
    host.answer(first)
    signed_on.lose()
    step = sell(signed_on)
    assert isinstance(step.outcome, Refused)
    assert "close of batch 000001 has begun" in step.outcome.reason
    again = signed_on.settle().send
    assert again == first
    outcome = signed_on.receive(host.answer(again), now_ms=1).outcome
    assert isinstance(outcome, CloseOutcome)
    assert outcome.balanced


@pytest.mark.parametrize(("code", "resumes"), [("96", True), ("30", False)])
def test_a_refused_close(signed_on: Terminal, code: str, resumes: bool) -> None:
    request = iso8583.decode(signed_on.settle().send)
    answer = iso8583.encode(Message("0510", {**request.fields, 39: code}))
    outcome = signed_on.receive(answer, now_ms=1).outcome
    assert isinstance(outcome, CloseOutcome)
    assert (outcome.response_code, outcome.result) == (code, "")
    assert (signed_on.record.closing is not None) == resumes


def test_a_full_batch_asks_to_be_closed(signed_on: Terminal) -> None:
    signed_on.record.batch_size = MOST_WITH_SALES - 1
    assert not signed_on.batch_full
    signed_on.record.batch_size = MOST_WITH_SALES
    assert signed_on.batch_full
    step = sell(signed_on)
    assert isinstance(step.outcome, Refused)
    assert "is full" in step.outcome.reason


# The rest


def test_a_repetition_is_the_same_bytes_and_its_answer_is_kept(signed_on: Terminal, host: PracticeHost) -> None:
    first = sell(signed_on)
    signed_on.receive(host.answer(first.send), now_ms=1)
    again = signed_on.resend_last()
    assert again.send == first.send
    signed_on.receive(host.answer(again.send), now_ms=1)
    (transaction,) = signed_on.record.transactions.values()
    assert len(transaction.answer_digests) == 2
    assert len(set(transaction.answer_digests)) == 1


def test_that_a_repetition_reached_nobody_is_no_answer_to_what_was_sent_before(
    signed_on: Terminal, host: PracticeHost
) -> None:
    first = sell(signed_on)
    signed_on.receive(host.answer(first.send), now_ms=1)
    again = signed_on.resend_last()
    request = iso8583.decode(again.send)
    reached_nobody = Message(
        "0210", {3: request.text(3), 11: request.text(11), 39: "96", 41: request.text(41), 64: bytes(8)}
    )
    outcome = signed_on.receive(host.seal(request, reached_nobody), now_ms=2).outcome
    assert isinstance(outcome, TransactionOutcome)
    assert outcome.response_code == ""
    (transaction,) = signed_on.record.transactions.values()
    assert len(transaction.answer_digests) == 1
    assert transaction.counts


def test_what_has_no_final_answer_is_not_repeated(signed_on: Terminal, host: PracticeHost) -> None:
    assert isinstance(signed_on.resend_last().outcome, Refused)
    sell(signed_on)
    signed_on.lose()
    assert isinstance(signed_on.resend_last().outcome, Refused)


def test_echo_and_sign_off(signed_on: Terminal, host: PracticeHost) -> None:
    echo = signed_on.echo()
    assert Field60.parse(iso8583.decode(echo.send).text(60)).network_code == "301"
    assert signed_on.receive(host.answer(echo.send), now_ms=1).outcome == PlainOutcome(response_code="00")
    step = signed_on.sign_off()
    assert iso8583.decode(step.send).mti == "0820"
    signed_on.lose()
    assert signed_on.state is State.LOGGED_IN
    assert signed_on.record.session is None


def test_messages_keep_to_the_profile(signed_on: Terminal, host: PracticeHost) -> None:
    bodies = [signed_on.sign_on().send]
    signed_on.receive(host.answer(bodies[0]), now_ms=1)
    bodies.append(sell(signed_on).send)
    signed_on.lose()
    bodies.append(signed_on.reverse().send)
    signed_on.receive(host.answer(bodies[-1]), now_ms=1)
    for operation in (signed_on.echo, signed_on.settle, signed_on.sign_off):
        bodies.append(operation().send)
        signed_on.lose()
    assert len(bodies) == 6
    for body in bodies:
        message = iso8583.decode(body)
        iso8583.check_profile(message)
        assert iso8583.rule_for(message) is not None
