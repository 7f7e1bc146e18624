"""A terminal gets a new master key with a sign-on: it keeps it, names it, and does not lose it with the power."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

import iso8583
import world
from iso8583 import Message
from security_module import MacAlgorithm
from terminal_sim.entries import MasterKept
from terminal_sim.memory import TerminalMemory, memory_path, read_memory
from terminal_sim.outcomes import SignOnOutcome, Step
from terminal_sim.practice import PracticeHost
from terminal_sim.record import TerminalRecord, new_record
from terminal_sim.seal import SessionSeal
from terminal_sim.state import State
from terminal_sim.terminal import Terminal

TID = "10000001"
FACTS = next(terminal for terminal in world.built_in().terminals if terminal.tid == TID)
CARD = world.built_in().cards[0]


def seal() -> SessionSeal:
    return SessionSeal(world.terminal_local_key(TID), world.terminal_master_key(TID), MacAlgorithm.CUP_ECB)


def switched_on(record: TerminalRecord | None = None) -> Terminal:
    """The terminal with this memory, operator 01 at it."""
    terminal = Terminal(tid=TID, mid=FACTS.merchant, record=record or new_record(TID), seal=seal())
    terminal.log_in("01", "0000")
    return terminal


def sign_on(terminal: Terminal, host: PracticeHost, keys: str = "003") -> Step:
    return terminal.receive(host.answer(terminal.sign_on(keys).send), now_ms=1)


def named(terminal: Terminal) -> str:
    """What the next sign-on names in field 62; the sign-on is given up."""
    body = terminal.sign_on().send
    terminal.lose()
    return iso8583.decode(body).data(62).decode()


def sold(terminal: Terminal, host: PracticeHost) -> bool:
    step = terminal.receive(host.answer(terminal.sell(world.track2(CARD), 100, CARD.pin, now_ms=1).send), now_ms=1)
    return getattr(step.outcome, "approved", False)


@pytest.fixture
def host() -> PracticeHost:
    return PracticeHost()


def test_a_new_terminal_names_the_key_that_it_was_shipped_with(host: PracticeHost) -> None:
    terminal = switched_on()
    assert named(terminal) == seal().master_check_value(None)
    step = sign_on(terminal, host)
    assert not any(isinstance(entry, MasterKept) for entry in step.save)
    assert sold(terminal, host)


@pytest.mark.parametrize("keys", ["001", "003"])
def test_a_new_master_key_is_kept_before_the_session_and_named_from_then_on(host: PracticeHost, keys: str) -> None:
    terminal = switched_on()
    check_value = host.rotate_master(TID)
    step = sign_on(terminal, host, keys)
    assert [type(entry).__name__ for entry in step.save] == ["MasterKept", "SignedOn"]
    assert sold(terminal, host)
    assert named(terminal) == check_value
    assert sign_on(terminal, host, keys).save[0].__class__.__name__ == "SignedOn"
    assert sold(terminal, host)


def test_the_next_one_comes_under_the_one_before(host: PracticeHost) -> None:
    terminal = switched_on()
    for _ in range(3):
        check_value = host.rotate_master(TID)
        sign_on(terminal, host)
        assert named(terminal) == check_value
        assert terminal.state is State.LOGGED_IN
    sign_on(terminal, host)
    assert sold(terminal, host)


def damaged(host: PracticeHost, request: bytes, at: int) -> bytes:
    """The answer with one byte of field 62 changed."""
    message = iso8583.decode(host.answer(request))
    data = bytearray(message.data(62))
    data[at] ^= 1
    return iso8583.encode(Message(message.mti, {**message.fields, 62: bytes(data)}, message.tpdu, message.header))


@pytest.mark.parametrize("at", [40, 55, 56, 59], ids=["key", "its end", "check value", "its end"])
def test_a_new_key_with_another_check_value_is_not_taken(host: PracticeHost, at: int) -> None:
    terminal, former = switched_on(), seal().master_check_value(None)
    host.rotate_master(TID)
    step = terminal.receive(damaged(host, terminal.sign_on().send, at), now_ms=1)
    assert isinstance(step.outcome, SignOnOutcome)
    assert not step.outcome.signed_on
    assert "check value" in step.outcome.reason
    assert terminal.record.master is None
    assert named(terminal) == former
    sign_on(terminal, host)
    assert sold(terminal, host)


def test_an_answer_that_is_lost_changes_nothing(host: PracticeHost) -> None:
    terminal = switched_on()
    check_value = host.rotate_master(TID)
    host.answer(terminal.sign_on().send)
    terminal.lose()
    assert named(terminal) == seal().master_check_value(None)
    sign_on(terminal, host)
    assert named(terminal) == check_value


def test_it_is_on_the_disk_before_the_terminal_goes_on(
    host: PracticeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    memory = TerminalMemory.open(tmp_path, TID)
    synced.clear()  # an empty memory is written anew when it is opened
    terminal = switched_on(memory.record)
    memory.append(sign_on(terminal, host).save)
    assert not synced, "a session is made again at any time; it need not outlive a power cut"
    check_value = host.rotate_master(TID)
    memory.append(sign_on(terminal, host).save)
    assert len(synced) == 1
    assert b'"master-kept"' in synced[0]
    memory.close()
    again = read_memory(memory_path(tmp_path, TID))
    assert again.master is not None
    assert again.master.check_value == check_value == named(switched_on(again))
    reopened = TerminalMemory.open(tmp_path, TID)  # folded into one line
    assert reopened.record.master == again.master
    reopened.close()


def test_the_memory_has_no_clear_key(host: PracticeHost) -> None:
    terminal = switched_on()
    host.rotate_master(TID)
    step = sign_on(terminal, host)
    kept = step.save[0]
    assert isinstance(kept, MasterKept)
    stored = msgspec.to_builtins(kept)["key"]
    assert set(stored) == {"purpose", "cryptogram", "check_value", "length"}
    assert len(bytes.fromhex(stored["cryptogram"])) == 12 + 16 + 16
