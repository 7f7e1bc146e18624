"""A terminal that has lost a part of its memory and thinks up another: `lianji close` uploads, `lianji breaks` lists, the books hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

TERMINAL = "10000002"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    stack = StackProcess(tmp_path_factory.mktemp("upload") / "stack")
    yield stack
    stack.stop()


def swipe(stack: StackProcess, amount: str) -> dict[str, Any]:
    pin = next(card["pin"] for card in stack.world["cards"] if card["name"] == "debit-1")
    done = stack.json("swipe", "--terminal", TERMINAL, "--card", "debit-1", "--amount", amount, "--pin", pin)
    assert done["response_code"] == "00"
    return dict(done)


def test_a_batch_that_does_not_balance_is_closed_by_its_details(stack: StackProcess) -> None:
    swipe(stack, "1.00")
    path = stack.data_dir / "terminals" / f"{TERMINAL}.jsonl"
    sold = [swipe(stack, amount) for amount in ("2.00", "3.00")]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["type"] == "snapshot"
    record = lines[0]["record"]
    # All but the last sale is in the snapshot: of it the terminal forgets one, and thinks up another.
    forgotten = f"{TERMINAL}:{sold[0]['batch']}:{sold[0]['stan']}"
    known = record["transactions"].pop(forgotten)
    invented = f"{TERMINAL}:{sold[0]['batch']}:900000"
    record["transactions"][invented] = {
        **known,
        "stan": "900000",
        "amount_minor": 2_50,
        "rrn": "",
        "answer_digests": [],
    }
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    done = stack.run("close", "--terminal", TERMINAL, "--json")
    assert done.returncode == 3, done.stderr
    closed = json.loads(done.stdout.strip().splitlines()[-1])
    assert (closed["closed"], closed["balanced"], closed["uploaded"]) == (True, False, 3)

    def listed() -> list[dict[str, Any]]:
        return list(stack.json("breaks", "--terminal", TERMINAL)["lines"])

    wait_until(lambda: bool(listed()), "settlement lists the break")
    (line,) = listed()
    assert (line["stan"], line["difference"], line["terminal_minor"]) == ("900000", "terminal-only", 2_50)

    def reversed_() -> bool:
        return "reversed" in [entry["record"]["type"] for entry in stack.json("journal", sold[0]["rrn"])]

    wait_until(reversed_, "the bank has taken back what only the host held")
    swipe(stack, "4.00")
    verdict = stack.json("verify")
    broken = {name for name, row in verdict["invariants"].items() if not row["held"]}
    assert "I8" not in broken
    assert broken <= {"I3", "I5", "I9"}, "what the terminal thought up is told, and nothing else is wrong"


def test_a_terminal_downloads_when_it_is_told_to_and_when_it_is_pushed(stack: StackProcess) -> None:
    told = stack.json("download", "ca-keys", "--terminal", TERMINAL)
    assert (told["version"], told["records"]) == (1, 3)
    pin = next(card["pin"] for card in stack.world["cards"] if card["name"] == "debit-1")
    pushed = stack.json("swipe", "--terminal", "10000017", "--card", "debit-1", "--amount", "1.00", "--pin", pin)
    assert pushed["response_code"] == "00"
    text = (stack.data_dir / "terminals" / "10000017.jsonl").read_text()
    assert [code for code in ("360", "370", "380") if f'"code":"{code}","version":2' in text] == ["360", "370", "380"]
