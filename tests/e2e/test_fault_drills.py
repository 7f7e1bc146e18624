"""`lianji fault` on a real stack: each fault is seen where its runbook page says, is gone when it is switched off, and the books hold."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from lianji.app import run
from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

ISSUER_TIMEOUT_S = "2"
"""Instead of 10: what a bank does not answer is known sooner."""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANJI_ISSUER_TIMEOUT_S", ISSUER_TIMEOUT_S)
        running = StackProcess(tmp_path_factory.mktemp("impatient") / "data")
    yield running
    assert running.stop() == 0, running.errors.read_text()


def command(stack: StackProcess, *arguments: str) -> Any:
    """What one command prints with --json. In this process: there are many, and to start Python for each would take a second and more."""
    with redirect_stdout(io.StringIO()) as output:
        code = run((arguments[0], "--data-dir", str(stack.data_dir), *arguments[1:], "--json"))
    assert output.getvalue(), f"{arguments}: exit {code}"
    return json.loads(output.getvalue())


def fault(stack: StackProcess, *arguments: str) -> None:
    assert command(stack, "fault", *arguments)["on"] is ("--off" not in arguments)


def what_is_on(stack: StackProcess) -> list[str]:
    states = command(stack, "fault", "list")
    assert None not in [row["on"] for row in states.values()], states
    return [name for name, row in states.items() if row["on"]]


def swipe(stack: StackProcess) -> dict[str, Any]:
    pin = next(card["pin"] for card in stack.world["cards"] if card["name"] == "debit-1")
    result: dict[str, Any] = command(stack, "swipe", "--card", "debit-1", "--amount", "1.00", "--pin", pin)
    return result


def records(stack: StackProcess, rrn: str) -> list[str]:
    return [row["record"]["type"] for row in command(stack, "journal", rrn)]


def spans(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from spans(node["children"])


def not_ready(stack: StackProcess, service: str) -> str:
    """What the service says on /readyz is wrong; empty when it is ready."""
    run_file = json.loads((stack.data_dir / "run" / f"{service}.json").read_text())
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{run_file['ports']['health']}/readyz", timeout=30).close()
    except urllib.error.HTTPError as error:
        return error.read().decode()
    return ""


def test_a_slow_bank_is_the_long_bar_of_the_trace(impatient: StackProcess) -> None:
    fault(impatient, "slow-issuer", "--by", "300ms")
    assert what_is_on(impatient) == ["slow-issuer"]
    slow = swipe(impatient)
    assert slow["approved"], slow
    in_the_bank = [
        span for span in spans(command(impatient, "trace", slow["rrn"])["spans"]) if span["service"] == "issuer-sim"
    ]
    whole = max(span["duration_us"] for span in in_the_bank)
    assert whole >= 300_000, "the time is spent in the bank"
    assert sum(span["duration_us"] for span in in_the_bank) - whole < whole / 2, "and in none of its steps"
    fault(impatient, "slow-issuer", "--off")


def test_what_a_lost_answer_leaves_is_reversed_when_the_bank_answers_again(impatient: StackProcess) -> None:
    fault(impatient, "lost-answers", "--share", "1")
    assert what_is_on(impatient) == ["lost-answers"]
    lost = swipe(impatient)
    assert lost["response_code"] == "68", lost
    assert records(impatient, lost["rrn"]) == ["intent", "reversing"], "the bank does not answer the reversal either"
    fault(impatient, "lost-answers", "--off")
    wait_until(lambda: records(impatient, lost["rrn"])[-1] == "reversed", "the reversal is delivered")


def test_a_service_with_a_wrong_clock_refuses_what_it_takes_for_expired(impatient: StackProcess) -> None:
    fault(impatient, "clock", "--service", "issuer-sim", "--by", "1h")
    assert what_is_on(impatient) == ["clock"], "a bank with a wrong clock answers a drill all the same"
    refused = swipe(impatient)
    assert refused["response_code"] == "68", refused
    late = [row["by_s"] for row in impatient.logs("issuer-sim") if "deadline had passed" in row["event"]]
    assert late
    assert min(late) > 3_000, "an hour and not a queue"
    fault(impatient, "clock", "--off")
    wait_until(lambda: swipe(impatient)["approved"], "the bank takes requests again")
    wait_until(lambda: records(impatient, refused["rrn"])[-1] == "reversed", "the reversal is delivered")


def test_a_broker_that_cannot_write_is_seen_and_is_well_after_a_restart(impatient: StackProcess) -> None:
    fault(impatient, "full-disk")
    assert what_is_on(impatient) == ["full-disk"]
    owners = ("auth-a", "auth-b", "issuer-sim")
    wait_until(
        lambda: all("the broker does not write" in not_ready(impatient, service) for service in owners), "none is ready"
    )
    fault(impatient, "full-disk", "--off")
    wait_until(lambda: swipe(impatient)["approved"], "a swipe is approved again")
    wait_until(lambda: not any(not_ready(impatient, service) for service in owners), "all are ready again")


def test_a_hanging_collector_costs_spans_and_nothing_else(impatient: StackProcess) -> None:
    fault(impatient, "dead-collector")
    assert what_is_on(impatient) == ["dead-collector"]
    assert swipe(impatient)["approved"]
    fault(impatient, "dead-collector", "--off")
    after = swipe(impatient)
    assert after["approved"]
    wait_until(
        lambda: (
            {span["service"] for span in spans(command(impatient, "trace", after["rrn"])["spans"])}
            >= {"terminal-gw", "auth", "issuer-sim"}
        ),
        "spans arrive again",
    )


def test_load_on_one_account_begins_and_ends(impatient: StackProcess) -> None:
    fault(impatient, "hot-account", "--rate", "20")
    assert what_is_on(impatient) == ["hot-account"]
    assert run(("fault", "hot-account", "--data-dir", str(impatient.data_dir))) == 1, "one is enough"
    fault(impatient, "hot-account", "--off")


def test_after_all_of_it_nothing_is_on_and_the_books_hold(impatient: StackProcess) -> None:
    assert what_is_on(impatient) == []
    verdict = command(impatient, "verify")
    broken = {name: row for name, row in verdict["invariants"].items() if not row["held"]}
    assert verdict["held"], json.dumps(broken, indent=1, ensure_ascii=False)[:4000]
