"""Rows that are changed in place, read again and queried, however few of them fit into memory."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from lianji.verify import facts as facts_module
from lianji.verify.facts import Facts


class Row(msgspec.Struct):
    key: str
    part: str
    count: int = 0


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_are_what_was_made_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, on_disk: bool) -> None:
    """Against a plain dict, with room for five rows."""
    monkeypatch.setattr(facts_module, "KEPT", 5)
    chance = random.Random(7)  # noqa: S311 - to be repeated
    facts = Facts(tmp_path if on_disk else None)
    rows, model = facts.rows("things", Row, keys=2), dict[tuple[str, str], int]()
    for step in range(2000):
        key = (f"k{chance.randrange(40)}", f"p{chance.randrange(2)}")
        assert (peeked := rows.peek(*key)) is None or peeked.count == model[key]
        row = rows.get(*key)
        assert (row is None) == (key not in model)
        row = row or rows.add(Row(*key))
        row.count += step
        model[key] = model.get(key, 0) + step
        if step % 97 == 0:
            assert facts.count("SELECT SUM(count) FROM things") == sum(model.values())
    assert {(r["key"], r["part"]): r["count"] for r in facts.query("SELECT * FROM things")} == model
    assert not list(tmp_path.iterdir()), "the file has no name"
    facts.close()


def test_a_table_that_is_made_again_is_empty() -> None:
    facts = Facts()
    for rows in ([(1,), (2,)], [(3,)]):
        facts.table("numbers", "number", key="number")
        assert list(facts.writing("INSERT INTO numbers VALUES (?)", rows)) == [len(rows)]
        assert [row["number"] for row in facts.query("SELECT * FROM numbers")] == [row[0] for row in rows]
    facts.close()
