"""The switch's own rules on a real stack: a bank that is silent is asked no more, small sales are approved in its stead and told it later, and
business days end by order; the books hold."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from lianji.app import run
from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

RULES = """
[[velocity]]
scope = "terminal"
window_s = 3600
count = 4

[breaker]
silences = 1
within_s = 60
probe_s = 600

[[stand_in]]
institution = "huaxing"
floor_minor = 100_00
card_minor = 300_00
card_most = 3
"""


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    directory = tmp_path_factory.mktemp("ruled")
    (directory / "rules.toml").write_text(RULES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANJI_ISSUER_TIMEOUT_S", "1")
        patch.setenv("LIANJI_SWITCH_RULES", str(directory / "rules.toml"))
        running = StackProcess(directory / "data")
    yield running
    assert running.stop() == 0, running.errors.read_text()


def command(stack: StackProcess, *arguments: str) -> tuple[int, Any]:
    """Exit code and what one command prints with --json."""
    with redirect_stdout(io.StringIO()) as output:
        code = run((arguments[0], "--data-dir", str(stack.data_dir), *arguments[1:], "--json"))
    return code, json.loads(output.getvalue())


def swipe(stack: StackProcess, amount: str) -> dict[str, Any]:
    pin = next(card["pin"] for card in stack.world["cards"] if card["name"] == "debit-1")
    _, result = command(stack, "swipe", "--card", "debit-1", "--amount", amount, "--pin", pin)
    return dict(result)


def records(stack: StackProcess, rrn: str) -> list[str]:
    return [row["record"]["type"] for row in command(stack, "journal", rrn)[1]]


def do(stack: StackProcess, kind: str, *arguments: str) -> dict[str, Any]:
    _, result = command(stack, "do", kind, "--terminal", "10000002", "--card", "debit-1", *arguments)
    return dict(result)


def test_a_silent_bank_is_stood_in_for_and_told(ruled: StackProcess) -> None:
    held = do(ruled, "pre-auth", "--amount", "50.00", "--pin", "123456")
    assert command(ruled, "fault", "lost-answers", "--share", "1")[1]["on"]
    assert swipe(ruled, "1.00")["response_code"] == "68", "it is asked, and silent"
    assert swipe(ruled, "100.01")["response_code"] == "91", "it is not asked, and that is too much to stand in for"
    small = swipe(ruled, "9.00")
    assert small["response_code"] == "00", small
    notice = do(ruled, "completion-advice", "--voucher", held["stan"], "--amount", "57.50")
    assert notice["response_code"] == "00", "it has happened, whatever its bank says"
    command(ruled, "fault", "lost-answers", "--off")
    for owed in (small, notice):
        wait_until(lambda rrn=owed["rrn"]: "advised" in records(ruled, rrn), "the bank has been told")
    assert swipe(ruled, "2.00")["response_code"] == "00", "the answer to the advice has closed the breaker"
    assert swipe(ruled, "3.00")["response_code"] == "00"
    assert swipe(ruled, "4.00")["response_code"] == "00"
    assert swipe(ruled, "5.00")["response_code"] == "65", "more than four of this terminal"
    code, report = command(ruled, "verify")
    assert code == 0, report


def test_a_day_is_ended_by_order(ruled: StackProcess) -> None:
    for _ in range(2):
        code, told = command(ruled, "cut-over", "--day", "2100-01-01")
        assert code == 0
        assert [(row["day"], row["refused"]) for row in told["shards"]] == [("2100-01-01", "")] * 2
    code, told = command(ruled, "cut-over", "--day", "2099-12-31")
    assert code == 3
    assert all("2100-01-01 has been ended already" in row["refused"] for row in told["shards"])
