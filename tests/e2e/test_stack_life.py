"""A stack's life: one per data directory, gone when it says so, back when it is started again with all it knew."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

import world
from terminal_sim import open_till
from terminal_sim.waiting import REVERSAL_TRIES
from tests.e2e.support import LIANJI, StackProcess, wait_until

pytestmark = pytest.mark.processes


def test_a_second_stack_is_refused_and_harms_nothing(stack: StackProcess) -> None:
    for command in (["up", "--port", "0"], ["demo"]):
        second = subprocess.run(
            [LIANJI, *command, "--data-dir", str(stack.data_dir)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert "a stack runs on" in second.stderr
    swipe = stack.run("swipe", "--terminal", "10000002", "--card", "credit-1", "--amount", "2.00", "--pin", "123456")
    assert swipe.returncode == 0, swipe.stderr


def test_a_killed_supervisor_s_stack_is_replaced_and_nothing_is_forgotten(tmp_path: Path) -> None:
    first = StackProcess(tmp_path / "data")
    sold = first.json("swipe", "--card", "debit-1", "--amount", "3.00", "--pin", "123456")
    broker = first.pid("nats-server")
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    second = StackProcess(tmp_path / "data")
    try:
        wait_until(
            lambda: not Path(f"/proc/{broker}").exists() or second.pid("nats-server") != broker, "another broker"
        )
        assert not Path(f"/proc/{broker}").exists(), "the first broker is gone"
        assert "approved" in second.run("journal", sold["rrn"]).stdout
        verdict = second.json("verify")
        assert verdict["held"], verdict
        assert verdict["invariants"]["I3"]["checked"] > 0
    finally:
        assert second.stop() == 0, second.errors.read_text()


def test_a_stopped_stack_can_be_verified(tmp_path: Path) -> None:
    short = StackProcess(tmp_path / "data")
    short.run("swipe", "--card", "credit-1", "--amount", "4.00", "--pin", "123456")
    assert short.json("verify")["held"]
    assert short.stop() == 0
    verdict = short.json("verify")
    assert verdict["held"], verdict
    assert verdict["invariants"]["I3"]["checked"] > 0


@pytest.mark.parametrize("command", ["swipe", "close"])
async def test_a_terminal_whose_reversal_is_stuck_is_helped_by_its_operator(stack: StackProcess, command: str) -> None:
    """Three tries were lost on the line; whoever uses the terminal next begins them anew."""
    facts = world.built_in().terminal("20000902" if command == "swipe" else "20000903")
    assert facts is not None
    till = open_till(facts, host=stack.gateway[0], port=stack.gateway[1], data_dir=stack.data_dir)
    await till.sign_on()
    till.link.drop_answers = 1 + REVERSAL_TRIES
    card = world.built_in().cards[0]
    assert (await till.swipe(card, 300, card.pin)).pending
    await till.recover()
    assert till.stuck
    till.shut()
    if command == "swipe":
        done = stack.run("swipe", "--terminal", facts.tid, "--card", card.name, "--amount", "3.00", "--pin", card.pin)
        assert done.stdout.startswith("first reversed: voucher"), done.stderr
    else:
        done = stack.run("close", "--terminal", facts.tid)
        assert "balanced, closed" in done.stdout, done.stderr
    assert done.returncode == 0
