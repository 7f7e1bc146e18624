"""Terminals on bad lines, and a whole stack behind them."""

from __future__ import annotations

import pytest

from lianji import options
from reliability.lines.run import Plan, run
from terminal_sim.profiles import LineKind
from tests.e2e.support import StackProcess

pytestmark = pytest.mark.processes


def test_each_sale_over_a_bad_line_is_charged_once_or_not_at_all(fragile: StackProcess) -> None:
    """A fast line that loses a fifth of what is sent, and terminals that wait for seconds and not for a minute."""
    plan = Plan((LineKind.LTE,), swipes=200, loss=0.2, seed=1, answer_s=3.0)
    result = options.run(run(fragile.gateway[1], fragile.data_dir, plan))
    (row,) = result.rows
    assert row.how == []
    assert (row.swipes, row.declined) == (200, 0)
    assert row.approved + row.unanswered == row.swipes
    assert row.reversals == row.unanswered
    assert min(row.stalled, row.half_open, row.cut, row.failed_calls, row.reversals) > 0, "the line was not bad"
    assert fragile.json("verify")["held"]


def test_a_swipe_over_a_line_that_does_not_come_up_says_so(fragile: StackProcess) -> None:
    sale = ("swipe", "--card", "debit-1", "--amount", "1.00", "--pin", "123456", "--json")
    assert fragile.json(*sale, "--link", "4g", "--link-seed", "7", "--keep-line", "1")["response_code"] == "00"
    # With everything lost a line does not come up, or stalls for minutes first: by this seed it does not.
    done = fragile.run(*sale[:-1], "--terminal", "10000002", "--link", "lan", "--loss", "100", "--link-seed", "1")
    assert done.returncode == 1
    assert "the line does not come up" in done.stderr


def test_other_kinds_go_over_such_lines_too(fragile: StackProcess) -> None:
    payer = ("--card", "debit-1", "--pin", "123456", "--json")
    transfer = ("do", "transfer", *payer, "--terminal", "10000015", "--amount", "2.00", "--to", "credit-1")
    assert fragile.json(*transfer, "--link", "4g", "--keep-line", "0", "--link-seed", "7")["response_code"] == "00"
    balance = ("do", "balance", *payer, "--terminal", "10000002")
    done = fragile.run(*balance, "--link", "lan", "--loss", "100", "--link-seed", "1")
    assert done.returncode == 1
    assert "the line does not come up" in done.stdout


def test_load_goes_over_such_lines_too(fragile: StackProcess) -> None:
    how = ("--concurrency", "8", "--duration", "2", "--merchant", "482290054990101")
    report = fragile.json("load", *how, "--link", "lan", "--keep-line", "0")
    assert report["approved"] > 8
    assert report["pending"] == 0
