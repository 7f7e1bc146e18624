"""A simulated terminal with DUKPT: which counter a message is under, and that none is used twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import iso8583
import world
from iso8583 import Field59
from security_module import terminal_of
from terminal_sim.entries import CounterUsed, Sent, Snapshot
from terminal_sim.memory import TerminalMemory, memory_path, read_memory
from terminal_sim.outcomes import Refused, ReversalOutcome, SignOnOutcome, Step, TransactionOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.record import TerminalRecord, new_record
from terminal_sim.schemes import seal_of
from terminal_sim.state import State
from terminal_sim.terminal import Terminal

TRACK = world.track2(world.built_in().cards[0])
TDES, AES = "10000009", "10000010"
LAST = {TDES: 0x1FF800, AES: 0xFFFF0000}
"""The last counter that a terminal uses."""


def facts_of(tid: str) -> world.Terminal:
    facts = world.built_in().terminal(tid)
    assert facts is not None
    return facts


def switched_on(tid: str, record: TerminalRecord | None = None) -> Terminal:
    facts = facts_of(tid)
    terminal = Terminal(tid=tid, mid=facts.merchant, record=record or new_record(tid), seal=seal_of(facts))
    terminal.log_in("01", "0000")
    return terminal


def signed_on(tid: str, host: PracticeHost) -> Terminal:
    terminal = switched_on(tid)
    terminal.receive(host.answer(terminal.sign_on().send), now_ms=1)
    assert terminal.state is State.SIGNED_ON
    return terminal


def sell(terminal: Terminal, pin: str = "123456") -> Step:
    return terminal.sell(TRACK, 100, pin, now_ms=1)


def counter_of(body: bytes, tid: str) -> int:
    ksn = Field59.parse(iso8583.decode(body).data(59)).ksn
    zero = world.initial_serial_number(facts_of(tid))
    assert terminal_of(ksn) == terminal_of(zero)
    return int.from_bytes(ksn, "big") - int.from_bytes(zero, "big")


@pytest.fixture
def host() -> PracticeHost:
    return PracticeHost()


@pytest.mark.parametrize("tid", [TDES, AES])
def test_every_message_that_is_built_has_the_next_counter_and_a_repetition_its_own(
    tid: str, host: PracticeHost
) -> None:
    terminal = signed_on(tid, host)
    first = sell(terminal)
    assert counter_of(first.send, tid) == 1
    terminal.receive(host.answer(first.send), now_ms=1)
    again = terminal.resend_last()
    assert again.send == first.send
    assert again.save == ()
    terminal.receive(host.answer(again.send), now_ms=1)
    assert counter_of(sell(terminal, pin="").send, tid) == 2
    terminal.lose()
    for expected in (3, 4):  # each try of a reversal is a message of its own
        assert counter_of(terminal.reverse().send, tid) == expected
        terminal.lose()
    assert terminal.record.counter == 4


@pytest.mark.parametrize("tid", [TDES, AES])
def test_the_counter_is_saved_before_everything_else_of_its_message(tid: str, host: PracticeHost) -> None:
    step = sell(signed_on(tid, host))
    assert [type(entry) for entry in step.save] == [CounterUsed, Sent]
    assert step.save[0] == CounterUsed(counter=1)


@pytest.mark.parametrize(("tid", "before", "after"), [(TDES, 0x7FE, 0x800), (AES, 0xFFFF, 0x10000)])
def test_counters_with_too_many_ones_are_skipped(tid: str, before: int, after: int, host: PracticeHost) -> None:
    terminal = signed_on(tid, host)
    terminal.record.counter = before - 1
    for expected in (before, after):
        body = sell(terminal).send
        assert counter_of(body, tid) == expected
        outcome = terminal.receive(host.answer(body), now_ms=1).outcome
        assert isinstance(outcome, TransactionOutcome)
        assert outcome.approved


@pytest.mark.parametrize("tid", [TDES, AES])
def test_a_terminal_without_counters_sends_nothing_more(tid: str, host: PracticeHost) -> None:
    terminal = signed_on(tid, host)
    terminal.record.counter = LAST[tid] - 1 if tid == TDES else LAST[tid] - 0x8000
    last = sell(terminal)
    assert counter_of(last.send, tid) == LAST[tid]
    terminal.lose()
    for step in (terminal.reverse(), sell(terminal)):
        assert isinstance(step.outcome, Refused)
        assert (step.save, step.send) == ((), b"")
    assert "needs a new initial key" in getattr(terminal.reverse().outcome, "reason", "")


@pytest.mark.parametrize("tid", [TDES, AES])
def test_an_answer_counts_only_under_the_response_key_of_its_own_request(tid: str, host: PracticeHost) -> None:
    terminal = signed_on(tid, host)
    sell(terminal)
    terminal.lose()
    first = terminal.reverse().send
    late = host.answer(first)
    terminal.lose()
    second = terminal.reverse().send
    outcome = terminal.receive(late, now_ms=1).outcome  # the answer to the first try, behind time
    assert isinstance(outcome, ReversalOutcome)
    assert not outcome.ended
    assert terminal.record.pending is not None
    again = terminal.reverse().send
    reflected = iso8583.decode(again)
    reflected.mti = "0410"
    reflected.fields[39] = "00"
    session = terminal.record.session
    assert session is not None
    mirror = seal_of(facts_of(tid)).sealed(session, reflected)  # under the request's key
    outcome = terminal.receive(mirror, now_ms=1).outcome
    assert isinstance(outcome, ReversalOutcome)
    assert not outcome.ended
    third = terminal.reverse(new_round=True).send
    outcome = terminal.receive(host.answer(third), now_ms=1).outcome
    assert isinstance(outcome, ReversalOutcome)
    assert outcome.ended
    assert len({first, second, again, third}) == 4


def test_keys_that_come_with_a_sign_on_are_refused(host: PracticeHost) -> None:
    terminal = switched_on(TDES)
    answer = iso8583.decode(host.answer(terminal.sign_on().send))
    answer.fields[62] = bytes(40)
    outcome = terminal.receive(iso8583.encode(answer), now_ms=1).outcome
    assert isinstance(outcome, SignOnOutcome)
    assert not outcome.signed_on
    assert "field 62: brings keys" in outcome.reason


DIES_BEFORE_SENDING = """
import os, signal, sys
import world
from terminal_sim.memory import TerminalMemory
from terminal_sim.practice import PracticeHost
from terminal_sim.schemes import seal_of
from terminal_sim.terminal import Terminal

facts = world.built_in().terminal("10000009")
memory = TerminalMemory.open(sys.argv[1], facts.tid)
terminal = Terminal(tid=facts.tid, mid=facts.merchant, record=memory.record, seal=seal_of(facts))
terminal.log_in("01", "0000")
asked = terminal.sign_on()
memory.append(asked.save + terminal.receive(PracticeHost().answer(asked.send), now_ms=1).save)
step = terminal.sell(world.track2(world.built_in().cards[0]), 100, "123456", now_ms=1)
print(step.send.hex(), flush=True)
memory.append(step.save)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_no_counter_is_used_again_after_kill_9_between_save_and_send(tmp_path: Path, cut: int) -> None:
    """Also when the end of the last write is missing: the sale is gone then, its counter is not."""
    done = subprocess.run(
        [sys.executable, "-c", DIES_BEFORE_SENDING, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    never_sent = bytes.fromhex(done.stdout.strip())
    path = memory_path(tmp_path, TDES)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - cut])
    memory = TerminalMemory.open(tmp_path, TDES)
    assert memory.record.counter == counter_of(never_sent, TDES) == 1
    assert (memory.record.pending is not None) == (cut == 0)
    terminal = switched_on(TDES, memory.record)
    assert terminal.state is State.SIGNED_ON  # what the sign-on gave was kept
    step = terminal.reverse() if cut == 0 else sell(terminal)
    assert counter_of(step.send, TDES) == 2
    memory.close()


def test_a_file_from_before_there_were_counters_is_read(tmp_path: Path, host: PracticeHost) -> None:
    memory = TerminalMemory.open(tmp_path, "10000001")
    terminal = switched_on("10000001", memory.record)
    asked = terminal.sign_on()
    memory.append(asked.save + terminal.receive(host.answer(asked.send), now_ms=1).save)
    memory.close()
    former = msgspec.json.decode(msgspec.json.encode(Snapshot(record=read_memory(memory.path))))
    del former["record"]["counter"]
    memory.path.write_bytes(msgspec.json.encode(former) + b"\n")
    record = read_memory(memory.path)
    assert record == terminal.record
    again = switched_on("10000001", record)
    outcome = again.receive(host.answer(sell(again).send), now_ms=1).outcome
    assert isinstance(outcome, TransactionOutcome)
    assert outcome.approved
