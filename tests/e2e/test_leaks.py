"""`make leaks` in small: errors provoked in every service under a few hundred transactions, and no card data anywhere afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from leaks.run import run

pytestmark = pytest.mark.processes


def test_no_card_data_after_errors_of_all_sorts_and_planted_leaks_are_found(tmp_path: Path) -> None:
    said: list[str] = []
    result = run(tmp_path, transactions=250, seed=20_260_131, say=said.append)
    assert result.complaints() == [], said
    assert result.found == 0
    assert sorted(result.found_of_planted.values()) == ["pan", "pan", "pin", "track2"]
    assert min(count for kinds in result.provoked.values() for count in kinds.values()) > 0
    assert result.searched["streams"]["messages"] > 100
    assert result.searched["sql"]["rows"] > 100
    for place in ("logs", "traces", "terminals", "other files"):
        assert result.searched[place]["bytes"] > 0, place
