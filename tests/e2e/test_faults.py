"""kill -9 of each process under load, and an owner that is stopped until a standby has taken over: the books hold."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

LOAD_S = 8
RATE = "60"
"""Sales a second: enough to be hit in all places, few enough for the books to be looked at after each fault."""


def load_around(stack: StackProcess, fault: Any, *, duration_s: int = LOAD_S) -> dict[str, Any]:
    """Runs `fault` in the middle of a load and returns the load's report."""
    load = stack.start("load", "--rate", RATE, "--terminals", "16", "--duration", str(duration_s), "--json")
    try:
        time.sleep(2)  # the fault has to fall into the load; nothing is waited for
        fault()
        output, _ = load.communicate(timeout=180)
    finally:
        load.kill()
    report: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return report


def assert_books_hold(stack: StackProcess) -> None:
    verdict = stack.json("verify")
    broken = {name: row for name, row in verdict["invariants"].items() if not row["held"]}
    assert verdict["held"], json.dumps(broken, indent=1, ensure_ascii=False)[:4000]


def assert_takes_swipes(stack: StackProcess) -> None:
    pin = next(c["pin"] for c in stack.world["cards"] if c["name"] == "debit-1")

    def approved() -> bool:
        return stack.run("swipe", "--card", "debit-1", "--amount", "1.00", "--pin", pin).returncode == 0

    wait_until(approved, "a swipe is approved again")


@pytest.mark.parametrize("name", ["auth", "issuer-sim", "terminal-gw", "nats-server", "settlement", "receipts"])
def test_kill_9_under_load(fragile: StackProcess, name: str) -> None:
    instance = owner_of(fragile, 0) if name == "auth" else name
    died: list[int] = []
    report = load_around(fragile, lambda: died.append(fragile.kill(instance)))
    assert report["approved"] > 50
    assert report["pending"] == 0, "reversals were left on the terminals"
    wait_until(lambda: fragile.pid(instance) != died[0], f"{instance} runs again")
    assert_takes_swipes(fragile)
    assert_books_hold(fragile)


def owner_of(stack: StackProcess, shard: int) -> str:
    """The auth process that took the shard's journal last."""
    rows = [
        (row["timestamp"], name)
        for name in ("auth-a", "auth-b")
        for row in stack.logs(name)
        if row["event"] == "owner" and row["log"] == f"journal.v1.{shard}"
    ]
    return max(rows)[1]


def test_a_stopped_owner_is_fenced_and_steps_down(fragile: StackProcess) -> None:
    former = owner_of(fragile, 0)
    pid, since = fragile.pid(former), len(fragile.logs(former))

    def stop_until_succeeded() -> None:
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: owner_of(fragile, 0) != former, "a standby has taken over")
        finally:
            os.kill(pid, signal.SIGCONT)

    report = load_around(fragile, stop_until_succeeded, duration_s=LOAD_S + 4)
    assert report["approved"] > 50
    wait_until(
        lambda: any(row["event"] == "stepped down" for row in fragile.logs(former)[since:]),
        "the former owner steps down",
    )
    assert fragile.pid(former) == pid, "it was not restarted: it stepped down by itself"
    assert_takes_swipes(fragile)
    assert_books_hold(fragile)
