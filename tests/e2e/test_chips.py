"""Chip and contactless through the real stack: sales, a stripe that is refused, a lost answer, a blocked chip, an offline sale; slips and books."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.support import StackProcess

pytestmark = [pytest.mark.broker, pytest.mark.processes]

TERMINAL = "10000018"
"""Nobody else's on the shared stack. It derives its keys (DUKPT), so that fields 55 and 59 stand side by side."""


def sell(stack: StackProcess, card: str, *more: str, amount: str = "12.34") -> dict[str, Any]:
    return dict(stack.json("swipe", "--terminal", TERMINAL, "--card", card, "--amount", amount, *more))


def test_a_day_of_chips(stack: StackProcess) -> None:
    inserted = sell(stack, "debit-ic", "--pin", "123456", "--chip")
    assert inserted["response_code"] == "00"
    tapped = sell(stack, "debit-ic", "--contactless")
    assert tapped["response_code"] == "00", "a small sale by a contactless chip needs no PIN"
    assert sell(stack, "debit-ic", "--pin", "123456")["response_code"] == "45", "the terminal reads chips"
    assert sell(stack, "credit-ic", "--chip")["response_code"] == "00", "of the other version of cryptograms"

    lost = stack.run(
        "swipe",
        "--terminal",
        TERMINAL,
        "--card",
        "debit-ic",
        "--amount",
        "1",
        "--pin",
        "123456",
        "--chip",
        "--lose-answer",
    )
    assert lost.returncode == 1, "no answer, no approval"
    after = sell(stack, "debit-ic", "--pin", "123456", "--chip")
    assert after["response_code"] == "00", "the chip has counted on"

    assert sell(stack, "debit-ic-lost", "--pin", "123456", "--chip")["response_code"] == "41"
    blocked = stack.run("swipe", "--terminal", TERMINAL, "--card", "debit-ic-lost", "--amount", "1", "--chip")
    assert blocked.returncode == 1
    assert "its bank has blocked the chip" in blocked.stderr

    alone = ("do", "offline-sale", "--terminal", TERMINAL, "--card", "credit-ic", "--amount", "5.00", "--contactless")
    assert stack.run(*alone).returncode == 0
    assert sell(stack, "credit-ic", "--chip", amount="3.00")["response_code"] == "00", "behind the notice"
    voided = stack.run(
        "do", "void", "--terminal", TERMINAL, "--card", "debit-ic", "--voucher", inserted["stan"], "--chip"
    )
    assert voided.returncode == 0, voided.stderr

    for sold, mark in ((inserted, "/I"), (tapped, "/C")):
        slip = stack.run("slip", sold["rrn"]).stdout
        assert mark in slip
        assert all(f"{name}: " in slip for name in ("ARQC", "TVR", "AID", "ATC"))

    closed = stack.json("close", "--terminal", TERMINAL)
    assert closed["balanced"], closed
    totals = closed["totals"]
    assert (totals["debit_count"], totals["debit_minor"]) == (6, 4 * 1234 + 500 + 300), (
        "the offline sale is one of them"
    )
    assert (totals["credit_count"], totals["credit_minor"]) == (1, 1234)
    verdict = stack.json("verify")
    broken = {name: row for name, row in verdict["invariants"].items() if not row["held"]}
    assert verdict["held"], json.dumps(broken, indent=1, ensure_ascii=False)[:4000]
