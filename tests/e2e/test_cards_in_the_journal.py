"""A card's number in the journal of a real stack: found, opened, counted, across rotations of the data key; and nobody prints it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.e2e.support import StackProcess
from tests.e2e.test_stranger_client import Client, unpack

pytestmark = pytest.mark.processes

CARD, OTHER, TERMINAL = "debit-1", "credit-1", "10000003"


class Traded(NamedTuple):
    """A stack on which one terminal has sold, before and after a rotation of its data key."""

    stack: StackProcess
    first: list[str]
    """What CARD bought under version 1, by RRN."""
    second: list[str]
    """Under version 2."""
    repeated: tuple[bytes, bytes]
    """The answers to one message, before and after the rotation."""
    changed: str
    """The response code of another amount under the identity of that message, after it."""


@pytest.fixture(scope="module")
def traded(fragile: StackProcess) -> Iterator[Traded]:
    cards = {card["name"]: card for card in fragile.world["cards"]}
    client = Client(next(t for t in fragile.world["terminals"] if t["tid"] == TERMINAL))
    client.sign_on()

    def buy(name: str, amount: int) -> dict[int, Any]:
        return client.sale(cards[name], amount, cards[name]["pin"])

    sale = buy(CARD, 1200)
    before = client.exchange(client.sealed("0200", sale))
    regretted = buy(CARD, 300)
    first = [unpack(before)[1][37], client.trade("0200", regretted)[37]]
    client.trade("0400", client.reversal_of(regretted))
    client.trade("0200", buy(OTHER, 5600))
    assert fragile.keys("rotate", "data").returncode == 0
    after = client.exchange(client.sealed("0200", sale))
    changed = client.trade("0200", sale | {4: "000000009999"})[39]
    second = [client.trade("0200", buy(CARD, 700))[37]]
    yield Traded(fragile, first, second, (before, after), changed)
    client.line.close()


def numbers(stack: StackProcess) -> list[str]:
    return [card["pan"] for card in stack.world["cards"]]


def shown(done: subprocess.CompletedProcess[str], stack: StackProcess) -> str:
    """What a command printed; no card number of the world is in it."""
    text = done.stdout + done.stderr
    assert not any(number in text for number in numbers(stack))
    return text


def test_a_repetition_is_known_across_the_rotation(traded: Traded) -> None:
    before, after = traded.repeated
    assert before == after
    assert traded.changed == "94"


def test_a_card_s_transactions_are_found_under_both_versions(traded: Traded) -> None:
    answer = traded.stack.json("card", CARD)
    rows = {row["rrn"]: (row["key_version"], row["amount_minor"], row["state"]) for row in answer["transactions"]}
    bought, regretted = traded.first
    assert rows == {
        bought: (1, 1200, "approved"),
        regretted: (1, 300, "reversed"),
        traded.second[0]: (2, 700, "approved"),
    }
    assert answer["unsearched"] == {}
    assert {row["card"] for row in answer["transactions"]} == {answer["masked"]}
    table = shown(traded.stack.run("card", CARD), traded.stack)
    assert all(rrn in table for rrn in rows)
    assert [row["amount_minor"] for row in traded.stack.json("card", OTHER)["transactions"]] == [5600]
    assert traded.stack.json("card", "debit-poor")["transactions"] == []


def test_every_sealed_number_opens_with_its_version(traded: Traded) -> None:
    done = traded.stack.keys("read", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["versions"] == [
        {"number": 1, "state": "accepted", "records": 3, "opened": 3},
        {"number": 2, "state": "current", "records": 1, "opened": 1},
    ]
    assert (report["faults"], report["unsealed"], report["can_be_retired"]) == (0, 0, [])
    text = shown(traded.stack.keys("read"), traded.stack)
    assert "4 of 4 sealed card numbers opened and right" in text
    assert "journal.v1.0: " in text


def test_another_master_key_reads_nothing(traded: Traded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANJI_LMK", "00" * 32)
    for done in (traded.stack.keys("read"), traded.stack.run("card", CARD)):
        assert done.returncode == 1
        assert "the local master key (LMK) is not the one" in shown(done, traded.stack)


def test_the_books_hold_and_nothing_is_in_clear(traded: Traded) -> None:
    assert traded.stack.json("scan")["found"] == 0
    assert traded.stack.json("verify")["held"]


def test_a_stack_that_is_down_is_read_all_the_same_and_a_retired_version_is_lost(traded: Traded) -> None:
    """The last test here: it takes version 1 away, and the stack down."""
    assert traded.stack.keys("retire", "data", "1", "--force").returncode == 0
    assert traded.stack.stop() == 0
    done = traded.stack.keys("read", "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert [(row["state"], row["records"], row["opened"]) for row in report["versions"]] == [
        ("retired", 3, 0),
        ("current", 1, 1),
    ]
    assert {fault["reason"] for fault in report["first_faults"]} == {"this version of the data key is retired"}
    answer = traded.stack.json("card", CARD)
    assert [row["key_version"] for row in answer["transactions"]] == [2]
    assert answer["unsearched"] == {"1": 3}
