"""`lianji account` on a real stack."""

from __future__ import annotations

import json
from datetime import datetime

from lianji.zone import SHANGHAI
from tests.e2e.support import StackProcess

SHOP = "20000321"


def test_a_bill_and_the_account_behind_it(stack: StackProcess) -> None:
    done = stack.run(
        "do",
        "instalment",
        "--terminal",
        SHOP,
        "--card",
        "credit-2",
        "--pin",
        "135790",
        "--amount",
        "1200",
        "--periods",
        "12",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    account = json.loads(stack.run("account", "credit-2", "--json").stdout)
    line = account["lines"][-1]
    assert (line["what"], line["amount_minor"], line["balance_minor"]) == (
        "instalment",
        1200_00,
        account["balance_minor"],
    )
    month = datetime.now(SHANGHAI).strftime("%Y-%m")
    bill = json.loads(stack.run("account", "credit-2", "--statement", month, "--json").stdout)
    mine = [(one["what"], one["amount_minor"], one["payment"]) for one in bill["lines"] if one["id"] == line["id"]]
    assert mine == [("instalment", 100_00, 1), ("fee", 7_20, 1)]
    shown = stack.run("account", "credit-2", "--statement", month).stdout
    assert "分期消费 INSTALMENT 1/12" in shown
    assert "instalments still to come" in shown
    assert f"to be paid until {bill['due']}, at least" in shown
    assert bill["least_minor"] >= 107_20
    history = stack.run("account", "credit-2").stdout.splitlines()
    row = next(one for one in history if line["id"] in one)
    assert "instalment" in row
    assert "-1200.00" in row


def test_what_cannot_be_shown_is_said_in_a_line(stack: StackProcess) -> None:
    for arguments, said in (
        (("account", "nobody"), "card: there is no 'nobody'"),
        (("account", "debit-1", "--statement", "November"), "is no month; write it like 2026-11"),
    ):
        wrong = stack.run(*arguments)
        assert wrong.returncode == 2
        assert said in wrong.stderr
