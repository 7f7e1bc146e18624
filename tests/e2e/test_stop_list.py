"""A card that is reported stolen is refused by the switch, and by a terminal that has the list, before and after the broker was started again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

UPDATED, OTHER, THIRD = "10000004", "10000005", "10000006"
CARD, PIN = "debit-2", "246810"


def swipe(stack: StackProcess, terminal: str, card: str = CARD, pin: str = PIN) -> dict[str, Any]:
    said: dict[str, Any] = stack.json("swipe", "--terminal", terminal, "--card", card, "--amount", "5.00", "--pin", pin)
    return said


def report(stack: StackProcess, card: str, what: str) -> None:
    done = stack.run("report", card, what)
    assert done.returncode == 0, done.stderr


def on_the_list(stack: StackProcess, entry: int, revision: int) -> bool:
    """Whether every shard has acknowledged it, by what its bank has logged."""
    return any(
        line.get("event") == "report told" and (line["entry"], line["revision"]) == (entry, revision)
        for line in stack.logs("issuer-sim")
    )


def told_within(stack: StackProcess) -> float:
    """Seconds from the first report's decision to the last shard's acknowledgement."""
    at = {line["event"]: datetime.fromisoformat(line["timestamp"]) for line in reversed(stack.logs("issuer-sim"))}
    return (at["report told"] - at["report decided"]).total_seconds()


def test_stolen_refused_found_and_never_forgotten(fragile: StackProcess, capsys: pytest.CaptureFixture[str]) -> None:
    stack = fragile
    for terminal in (UPDATED, OTHER, THIRD):
        assert swipe(stack, terminal)["response_code"] == "00"
    report(stack, CARD, "--stolen")
    wait_until(lambda: on_the_list(stack, 1, 1), "every shard has the card on its list")
    with capsys.disabled():
        print(f"\nfrom the bank's ledger to every shard's list: {told_within(stack):.3f} s", end=" ")
    refused = swipe(stack, UPDATED)
    assert refused["response_code"] == "43"
    journalled = stack.run("journal", refused["rrn"]).stdout
    assert "stop_list 2" in journalled, "the version that it was checked against"
    # The answer has pushed the list: from now on the terminal refuses by itself, with nothing on the line.
    again = swipe(stack, UPDATED)
    assert (again["response_code"], again["rrn"], again["stan"]) == ("43", "", "")

    stack.kill("nats-server")
    wait_until(lambda: swipe(stack, OTHER, "debit-1", "123456")["response_code"] == "00", "the stack sells again")
    assert swipe(stack, THIRD)["response_code"] == "43"
    alone = stack.run("swipe", "--terminal", UPDATED, "--card", CARD, "--amount", "5.00", "--pin", PIN)
    assert "nothing was sent: card: on the stop list: 43 stolen card" in alone.stderr

    report(stack, CARD, "--found")
    wait_until(lambda: on_the_list(stack, 1, 2), "every shard has taken the card off its list")
    assert swipe(stack, UPDATED, "debit-1", "123456")["response_code"] == "00"
    assert swipe(stack, UPDATED)["response_code"] == "00"
    verified = stack.run("verify")
    assert verified.returncode == 0, verified.stdout


def test_words_for_what_cannot_be_reported(fragile: StackProcess) -> None:
    for arguments, field in (
        (("debit-1",), "report"),
        (("debit-1", "--stolen", "--lost"), "report"),
        (("nobody", "--stolen"), "card"),
        (("--prefix", "12", "--stolen"), "prefix"),
        (("--prefix", "99999999", "--stolen"), "prefix"),
        (("debit-1", "--found"), "debit-1"),
        (("debit-lost", "--stolen"), "debit-lost"),
    ):
        done = fragile.run("report", *arguments)
        assert done.returncode != 0
        assert f"lianji: {field}" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
