"""Which of the gateway's answers have a MAC: those to a request whose own was right, and no others."""

from __future__ import annotations

import pytest

import iso8583
import world
from contracts.authorization import AuthorizeReply, AuthorizeRequest
from contracts.kinds import Kind
from iso8583 import Message, Value
from runtime.bus import NoAnswer
from terminal_gw.pipeline import PROFILE_MTIS
from terminal_sim.outcomes import ReversalOutcome, TransactionOutcome
from terminal_sim.record import new_record
from terminal_sim.schemes import seal_of
from terminal_sim.state import State
from terminal_sim.terminal import Terminal as SimulatedTerminal
from tests.unit.test_gateway_pipeline import AT_MS, ENVELOPE, TCP, WORLD, Gateway, Line, Terminal, line
from tests.unit.test_terminal_kinds import order

__all__ = ["line"]

KINDS_OF_KEYS = ["10000001", "10000005", "10000006", "10000011"]
"""A terminal of each MAC algorithm and PIN format that has session keys."""
TRACK = world.track2(WORLD.cards[0])
WITH_MAC = sorted(mti for mti in PROFILE_MTIS if iso8583.carries_mac(mti))


def spoiled(body: bytes) -> bytes:
    """With another last byte of its MAC."""
    return body[:-1] + bytes([body[-1] ^ 1])


async def answered(gateway: Gateway, body: bytes) -> Message:
    received = await gateway.pipeline.receive(body, TCP)
    assert received.answer is not None
    return iso8583.decode(received.answer)


def bare(reply: Message, code: str) -> bool:
    return reply.text(39) == code and 64 not in reply.fields


@pytest.mark.parametrize("mti", WITH_MAC)
async def test_a_wrong_mac_is_answered_without_one(line: Line, mti: str) -> None:
    gateway, terminal = line
    reply = await answered(gateway, spoiled(iso8583.encode(terminal.sale(mti=mti))))
    assert (reply.mti, bare(reply, "A0")) == (iso8583.reply_mti(mti), True)
    assert (reply.text(11), reply.text(41), reply.header.processing) == ("000042", terminal.tid, "3")


def _unread(body: bytes) -> bytes:
    return body[: ENVELOPE + 3] + b"\xaa" + body[ENVELOPE + 4 :]


def _of(change: dict[int, Value | None], mti: str = "0200") -> object:
    return lambda terminal: iso8583.encode(terminal.sale(change, mti=mti))


def _without_mac(terminal: Terminal) -> bytes:
    message = terminal.sale()
    del message.fields[64]
    return iso8583.encode(message)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (_of({42: "000000000000000"}), "03"),
        (_of({41: "99999999"}), "97"),
        (_of({41: None}), "30"),
        (_of({42: None}), "30"),
        (_of({59: b"\xdf\x01\x0a" + bytes(10)}), "30"),
        (_of({}, "0600"), "30"),
        (_without_mac, "30"),
        (lambda terminal: iso8583.encode(terminal.sale()) + b"\x00", "30"),
        (lambda terminal: _unread(iso8583.encode(terminal.sale())), "30"),
    ],
    ids=[
        "merchant of another",
        "unknown terminal",
        "no terminal",
        "no merchant",
        "field 59",
        "no MTI of the profile",
        "no field 64",
        "bytes left over",
        "cannot be read",
    ],
)
async def test_what_is_refused_before_its_mac_is_looked_at_is_answered_without_one(
    line: Line, made: object, code: str
) -> None:
    gateway, terminal = line
    assert callable(made)
    assert bare(await answered(gateway, made(terminal)), code)


async def test_so_is_what_nobody_can_say_the_keys_of(line: Line) -> None:
    gateway, terminal = line
    gateway.bucket.trouble = NoAnswer("starting")
    assert bare(await answered(gateway, spoiled(iso8583.encode(terminal.sale()))), "96")


@pytest.mark.parametrize(
    ("change", "code"),
    [({53: None}, "30"), ({49: "840"}, "30"), ({3: "990000"}, "40"), ({52: bytes(8)}, "99"), ({}, "58")],
)
@pytest.mark.parametrize("tid", ["10000001", "10000005", "10000006"])
async def test_a_refusal_behind_a_right_mac_has_one(tid: str, change: dict[int, Value | None], code: str) -> None:
    """58: the switch's word; the others are the gateway's own."""
    gateway, terminal = Gateway(), Terminal(tid)
    await terminal.sign_on(gateway)
    gateway.switch.answers["authorize"] = AuthorizeReply(response_code="58", rrn="000000000001", at_ms=AT_MS)
    reply = await gateway.answer(terminal.sale(change))
    assert (reply.text(39), terminal.trusts(reply)) == (code, True)


# With a terminal at the other end


async def _told(gateway: Gateway, terminal: SimulatedTerminal, body: bytes) -> object:
    """The outcome of what the terminal has sent, on a line of its own."""
    received = await gateway.pipeline.receive(body, TCP)
    assert received.answer is not None
    return terminal.receive(received.answer, now_ms=1).outcome


def _at_the_counter(tid: str) -> SimulatedTerminal:
    facts = WORLD.terminal(tid)
    assert facts is not None
    terminal = SimulatedTerminal(tid=tid, mid=facts.merchant, record=new_record(tid), seal=seal_of(facts))
    terminal.log_in("01", "0000")
    return terminal


async def _recovers(gateway: Gateway, terminal: SimulatedTerminal) -> None:
    """It signs on, reverses, and sells again."""
    assert (terminal.state, terminal.record.pending is not None) == (State.LOGGED_IN, True)
    await _told(gateway, terminal, terminal.sign_on().send)
    reversed_ = await _told(gateway, terminal, terminal.reverse().send)
    assert isinstance(reversed_, ReversalOutcome)
    assert (reversed_.response_code, reversed_.ended) == ("00", True)
    sold = await _told(gateway, terminal, terminal.sell(TRACK, 1234, "123456", now_ms=1).send)
    assert isinstance(sold, TransactionOutcome)
    assert sold.approved


@pytest.mark.parametrize("tid", KINDS_OF_KEYS)
@pytest.mark.parametrize("kind", [Kind.SALE, Kind.TRANSFER])
async def test_whoever_swallows_an_approval_gets_no_refusal_that_its_terminal_believes(tid: str, kind: Kind) -> None:
    """He sends the frame again with a wrong MAC, on a line of his own, and hands the terminal what is answered to that."""
    gateway, terminal = Gateway(), _at_the_counter(tid)
    await _told(gateway, terminal, terminal.sign_on().send)
    body = terminal.request(order(kind), now_ms=1).send
    approved = await answered(gateway, body)
    assert approved.text(39) == "00"
    assert isinstance(gateway.switch.last(AuthorizeRequest), AuthorizeRequest), "the bank has the money"
    believed = await _told(gateway, terminal, spoiled(body))
    assert isinstance(believed, TransactionOutcome)
    assert (believed.response_code, believed.pending) == ("", True)
    assert "A0" in believed.reason
    await _recovers(gateway, terminal)


@pytest.mark.parametrize("tid", KINDS_OF_KEYS)
async def test_a_terminal_whose_session_was_forgotten_comes_back(tid: str) -> None:
    """By a restart, a sign-off elsewhere, or another sign-on: its sale is in doubt until it is reversed, and nothing else is lost."""
    gateway, terminal = Gateway(), _at_the_counter(tid)
    await _told(gateway, terminal, terminal.sign_on().send)
    await gateway.desk.sessions.forget(tid)
    before = len(gateway.switch.asked)
    outcome = await _told(gateway, terminal, terminal.sell(TRACK, 1234, "123456", now_ms=1).send)
    assert isinstance(outcome, TransactionOutcome)
    assert (outcome.pending, len(gateway.switch.asked)) == (True, before)
    await _recovers(gateway, terminal)
