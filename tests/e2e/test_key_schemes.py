"""Terminals of every key scheme through the real stack: a sale, a wrong PIN, a lost answer and its reversal, the close; and the books hold."""

from __future__ import annotations

import json

import pytest

from terminal_sim.memory import memory_path, read_memory
from tests.e2e.support import StackProcess

pytestmark = [pytest.mark.broker, pytest.mark.processes]

TERMINALS = {
    "10000011": "MK/SK, format 3",
    "10000009": "TDES DUKPT, X9.19, format 0",
    "10000012": "TDES DUKPT, CUP-ECB, format 3",
    "10000010": "AES DUKPT, AES-CMAC, format 4",
    "10000013": "AES DUKPT, X9.19, format 3",
}
DERIVING = [tid for tid, name in TERMINALS.items() if "DUKPT" in name]


@pytest.mark.parametrize("tid", TERMINALS, ids=list(TERMINALS.values()))
def test_a_day_at_a_terminal(fragile: StackProcess, tid: str) -> None:
    cards = {card["name"]: card for card in fragile.world["cards"]}

    def swipe(card: str, pin: str = "", *more: str) -> tuple[int, str]:
        done = fragile.run(
            "swipe", "--terminal", tid, "--card", card, "--amount", "5.00", "--pin", pin or cards[card]["pin"], *more
        )
        return done.returncode, done.stdout

    assert swipe("debit-1")[0] == 0  # a bank with a TDES zone and format 0
    assert swipe("credit-2")[0] == 0  # a bank with an AES zone and format 4
    for card in ("debit-1", "credit-2"):
        code, said = swipe(card, "000000")
        assert code == 3
        assert "55 wrong PIN" in said
    assert swipe("debit-1", "", "--lose-answer")[0] == 1
    code, said = swipe("credit-2")
    assert code == 0
    assert "first reversed" in said
    closed = fragile.json("close", "--terminal", tid)
    assert closed["balanced"], closed
    assert swipe("debit-1")[0] == 0  # in the next batch
    # Seven sales and a reversal: a counter for each, over as many processes.
    assert read_memory(memory_path(fragile.data_dir, tid)).counter == (8 if tid in DERIVING else 0)


@pytest.mark.parametrize("scheme", ["dukpt-tdes", "dukpt-aes"])
def test_many_terminals_that_derive_their_keys(fragile: StackProcess, scheme: str) -> None:
    report = fragile.json("load", "--scheme", scheme, "--concurrency", "8", "--duration", "3")
    assert report["approved"] > 20
    assert (report["declined"], report["unknown"], report["pending"]) == ({}, 0, 0)


def test_the_books_hold_after_all_of_it(fragile: StackProcess) -> None:
    verdict = fragile.json("verify")
    broken = {name: row for name, row in verdict["invariants"].items() if not row["held"]}
    assert verdict["held"], json.dumps(broken, indent=1, ensure_ascii=False)[:4000]
