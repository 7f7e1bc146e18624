"""A stack that is started on a written history is a stack that has lived: it sells, and its books agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fill import fill
from tests.e2e.support import StackProcess

pytestmark = pytest.mark.processes

TRANSACTIONS = 1500


def test_a_stack_goes_on_where_a_history_ends(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    history = fill(data_dir, TRANSACTIONS)
    assert history.kept == TRANSACTIONS
    stack = StackProcess(data_dir)
    try:
        replayed = [line for name in ("auth-a", "auth-b") for line in stack.logs(name) if line["event"] == "owner"]
        assert sum(line["sequence"] for line in replayed) > TRANSACTIONS // 20
        sale = stack.run("swipe", "--card", "debit-1", "--amount", "12.34", "--pin", "123456", "--json")
        assert sale.returncode == 0, sale.stderr
        verdict = stack.json("verify", "--patience", "60")
        assert verdict["held"], verdict
    finally:
        assert stack.stop() == 0, stack.errors.read_text()
