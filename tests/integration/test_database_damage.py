"""A projection's database whose structure is damaged is set aside when its service starts, and nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from runtime.sql import open_engine, set_aside_if_damaged

ROWS = 2_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "slips.db"
    engine = open_engine(f"sqlite:///{path}", read_only=False)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE slips (rrn TEXT PRIMARY KEY, amount INTEGER)"))
        rows = [{"rrn": f"{n:012d}", "amount": n} for n in range(ROWS)]
        connection.execute(text("INSERT INTO slips VALUES (:rrn, :amount)"), rows)
    engine.dispose()
    return path


def zero(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(size))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: zero(path, 0, 16),
        lambda path: zero(path, 3 * 4096, 4096),
        lambda path: os.truncate(path, path.stat().st_size // 2),
    ],
    ids=["its first bytes", "a page", "its end"],
)
def test_a_damaged_database_is_set_aside(database: Path, damage: Callable[[Path], None]) -> None:
    damage(database)
    assert set_aside_if_damaged(f"sqlite:///{database}")
    assert not database.exists()
    (aside,) = database.parent.glob("slips.db.damaged-*")
    assert aside.stat().st_size
    assert set_aside_if_damaged(f"sqlite:///{database}") == ""  # the next start finds nothing to do


def test_a_database_that_is_well_stays(database: Path) -> None:
    before = database.read_bytes()
    assert set_aside_if_damaged(f"sqlite:///{database}") == ""
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["slips.db"]


@pytest.mark.parametrize("url", ["sqlite://", "postgresql+psycopg://u@h/d", "sqlite:////nowhere/at/all.db"])
def test_there_is_nothing_to_check_where_there_is_no_file(url: str) -> None:
    assert set_aside_if_damaged(url) == ""
