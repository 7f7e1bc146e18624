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
    """Against a plain dict, with room for five rows, and keys that are seldom told apart."""
    monkeypatch.setattr(facts_module, "KEPT", 5)
    monkeypatch.setattr(facts_module, "TOLD_APART", 64)
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


def test_many_rows_at_once_are_those_that_one_by_one_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there is room for, some of them changed and not written yet, some not there."""
    monkeypatch.setattr(facts_module, "KEPT", 5)
    chance = random.Random(7)  # noqa: S311 - to be repeated
    facts = Facts()
    rows, model = facts.rows("things", Row), dict[str, int]()
    for step in range(300):
        key = f"k{chance.randrange(60)}"
        row = rows.get(key) or rows.add(Row(key, "p"))
        row.count = model[key] = step
        keys = chance.choices([f"k{number}" for number in range(60)], k=20)
        there = [key for key in dict.fromkeys(keys) if key in model]
        if step % 2:
            assert {key: row.count for key, row in rows.peek_all(keys).items()} == {key: model[key] for key in there}
        else:
            rows.change_all(keys, "count = count + 1000")
            model.update((key, model[key] + 1000) for key in there)
    assert {r["key"]: r["count"] for r in facts.query("SELECT * FROM things")} == model
    facts.close()


def test_a_table_that_is_made_again_is_empty() -> None:
    facts = Facts()
    for rows in ([(1,), (2,)], [(3,)]):
        facts.table("numbers", "number", key="number")
        assert list(facts.writing("INSERT INTO numbers VALUES (?)", rows)) == [len(rows)]
        assert [row["number"] for row in facts.query("SELECT * FROM numbers")] == [row[0] for row in rows]
    facts.close()
