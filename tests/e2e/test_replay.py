"""Frames that somebody has captured, sent again over connections of his own: the stored answer, or a refusal, and never a second charge."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.e2e.support import StackProcess, wait_until
from tests.e2e.test_stranger_client import Client, Fields, unpack

pytestmark = pytest.mark.processes
TERMINAL, OTHER = "20000900", "20000901"
"""Nobody else's."""
AMOUNT, REGRETTED, SECOND = 1234, 700, 560

Captured = tuple[bytes, bytes]
"""A request and its answer."""


class Overheard(Client):
    """The honest terminal; everything on its line is captured."""

    def __init__(self, terminal: dict[str, Any]) -> None:
        super().__init__(terminal)
        self.captured: list[Captured] = []

    def exchange(self, body: bytes) -> bytes:
        answer = super().exchange(body)
        self.captured.append((body, answer))
        return answer

    def management(self, code: str) -> Fields:
        """0820: 301 echo, 002 sign-off."""
        more = {11: self.next_stan()} if code == "002" else {}
        return self.ask("0820", {60: f"00{self.batch}{code}", **more})[1]

    def sell(self, card: dict[str, Any], amount: int) -> tuple[Fields, Fields]:
        sale = self.sale(card, amount, card["pin"])
        return sale, self.trade("0200", sale)


@pytest.fixture
def terminal(stack: StackProcess, request: pytest.FixtureRequest) -> Any:
    number = getattr(request, "param", TERMINAL)
    terminal = Overheard(next(t for t in stack.json("world", "--all")["terminals"] if t["tid"] == number))
    yield terminal
    terminal.line.close()


def replay(stack: StackProcess, body: bytes) -> bytes:
    """The answer to a frame over a connection of its own; nothing when the connection is closed without one."""
    with socket.create_connection(stack.gateway, timeout=25) as line:
        line.sendall(len(body).to_bytes(2, "big") + body)
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            if not (more := line.recv(4096)):
                assert not data
                return b""
            data += more
    return data[2:]


def code_of(answer: bytes) -> str:
    """Field 39, and behind it the host's wish to sign on again."""
    wish = "3" if answer[5:11].hex()[5] == "3" else ""
    return str(unpack(answer)[1][39]) + wish


def result_of(answer: bytes) -> str:
    return str(unpack(answer)[1][48][30])


def expect_stored(stack: StackProcess, *captured: Captured) -> None:
    for body, answer in captured:
        for _ in range(2):
            assert replay(stack, body) == answer, body[11:13].hex()


def test_captured_frames(stack: StackProcess, terminal: Overheard) -> None:
    """One terminal's two batches, and what its frames do when they are sent again: in their session, after the close, after a new sign-on."""
    cards = {card["name"]: card for card in stack.world["cards"]}
    debit, credit = cards["debit-1"], cards["credit-1"]

    # Within the session that the sign-on made
    terminal.sign_on()
    terminal.sell(debit, AMOUNT)
    regretted, _ = terminal.sell(credit, REGRETTED)
    assert terminal.trade("0400", terminal.reversal_of(regretted))[39] == "00"
    sign_on, sale, reversed_sale, reversal = terminal.captured
    assert [body[11:13].hex() for body, _ in terminal.captured] == ["0800", "0200", "0200", "0400"]
    expect_stored(stack, sign_on, sale, reversed_sale, reversal, sign_on)
    assert terminal.management("301")[39] == "00"
    echo = terminal.captured[-1]
    assert code_of(replay(stack, echo[0])) == "00"
    assert terminal.sell(debit, SECOND)[1][39] == "00", "a repeated sign-on has left the terminal its keys"
    unbalanced = terminal.settle(0, 0)
    assert unbalanced == "2"
    refused_close = terminal.captured[-1]
    assert result_of(replay(stack, refused_close[0])) == "2"

    # After the close of the batch, under the keys that still stand
    assert terminal.settle(AMOUNT + SECOND, 2) == "1"
    close = terminal.captured[-1]
    expect_stored(stack, close, sale, reversed_sale, reversal)
    assert terminal.management("002")[39] == "00"
    sign_off = terminal.captured[-1]
    for body, _ in (sale, reversed_sale, reversal):
        assert code_of(replay(stack, body)) == "A03"

    # After a new sign-on, in the next batch
    closed = terminal.batch
    terminal.sign_on()
    assert terminal.batch != closed
    for body, _ in (sale, reversed_sale, reversal):
        assert code_of(replay(stack, body)) == "A03"
    assert code_of(replay(stack, sign_off[0])) == "77"
    expect_stored(stack, close)
    assert result_of(replay(stack, refused_close[0])) == "1", "the batch is closed, with the host's totals"
    assert terminal.sell(debit, SECOND)[1][39] == "00", "nothing of this has cost the terminal its session"

    # What remains: an older sign-on costs the terminal one more of its own
    assert code_of(replay(stack, sign_on[0])) == "00"
    later = terminal.sale(debit, AMOUNT, debit["pin"])
    assert code_of(terminal.exchange(terminal.sealed("0200", later))) == "A03"
    terminal.sign_on()
    assert terminal.sell(debit, AMOUNT)[1][39] == "00"

    # After one more close
    assert terminal.settle(SECOND + AMOUNT, 2) == "1"
    terminal.sign_on()
    assert result_of(replay(stack, close[0])) == "3"
    for body, _ in (sale, reversed_sale, reversal):
        assert code_of(replay(stack, body)) == "A03"

    expect_books(stack, terminal)


def expect_books(stack: StackProcess, terminal: Overheard) -> None:
    """Each sale once at the bank, in the journal and in settlement."""

    def booked() -> list[tuple[int, int, int, bool]]:
        lines = stack.json("summary", terminal.mid)["lines"]
        rows = sorted((row["batch"], row) for row in lines if row["terminal"] == TERMINAL)
        return [(row["sales_count"], row["sales_minor"], row["reversed_count"], row["closed"]) for _, row in rows]

    wanted = [(2, AMOUNT + SECOND, 1, True), (2, AMOUNT + SECOND, 0, True)]
    wait_until(lambda: booked() == wanted, f"{wanted} in settlement; it has {booked()}")
    verified = stack.run("verify", "--json")
    assert verified.returncode == 0, verified.stdout


@pytest.mark.parametrize("terminal", [OTHER], indirect=True)
def test_a_captured_mac_serves_for_nothing_else(stack: StackProcess, terminal: Overheard) -> None:
    """Neither for another amount nor for another terminal, not even one of the same merchant."""
    card = next(card for card in stack.world["cards"] if card["name"] == "debit-1")
    terminal.sign_on()
    assert terminal.sell(card, AMOUNT)[1][39] == "00"
    body = terminal.captured[-1][0]
    neighbour = next(
        t for t in stack.json("world", "--all")["terminals"] if t["mid"] == terminal.mid and t["tid"] > OTHER
    )
    for was, becomes in (
        (bytes.fromhex(f"{AMOUNT:012d}"), bytes.fromhex("000000009999")),
        (OTHER.encode(), neighbour["tid"].encode()),
    ):
        assert body.count(was) == 1
        assert code_of(replay(stack, body.replace(was, becomes))) == "A03"
    assert terminal.settle(AMOUNT, 1) == "1"
