"""Groups over a pipe into a projection, and two databases side by side."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, insert

from lianji.verify.rebuilt import AT_ONCE, Difference, InProcess, Projected, compare
from runtime import rebuilding
from runtime.log import Group
from runtime.projection import ProjectedGroup, ProjectionError
from runtime.rebuilding import LIST, REST, Rebuilding, framed, serve
from runtime.sql import open_engine


class Kept:
    """A projection that keeps the lists it gets, and refuses a record that is -1."""

    def __init__(self) -> None:
        self.lists: list[tuple[str, list[int], list[int]]] = []

    def checkpoint(self, partition: str) -> int:
        return 0

    def apply(self, partition: str, groups: Sequence[ProjectedGroup]) -> None:
        records = [record for group in groups for record in group.records]
        if -1 in records:
            raise ProjectionError(f"partition {partition}: -1")
        self.lists.append((partition, [group.sequence for group in groups], records))


def group(*records: int) -> bytes:
    raws = [msgspec.Raw(str(record).encode()) for record in records]
    return msgspec.json.encode(Group(log="l", epoch=1, number=1, prev="", records=raws))


def served(kept: Kept, received: bytes) -> list[str]:
    """What is answered."""
    answers = io.BytesIO()
    serve(Rebuilding(kept, msgspec.json.Decoder(int).decode), io.BytesIO(received), answers)
    return [json.loads(line)["stopped"] for line in answers.getvalue().splitlines()]


def test_each_partition_in_its_order_and_all_of_it_at_rest() -> None:
    kept = Kept()
    sent = framed("0", 1, group(1, 2)) + framed("1", 1, group(7)) + framed("0", 2, group()) + REST + REST
    assert served(kept, sent + framed("0", 3, group(3)) + REST) == ["", "", ""]
    assert kept.lists == [("0", [1, 2], [1, 2]), ("1", [1], [7]), ("0", [3], [3])]


def test_long_journals_are_projected_in_lists() -> None:
    kept = Kept()
    served(kept, b"".join(framed("0", number, group(number)) for number in range(1, LIST + 2)) + REST)
    assert [len(sequences) for _, sequences, _ in kept.lists] == [LIST, 1]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (group(-1), "partition 0: -1"),
        (b"no group", "partition 0: sequence 2 cannot be read"),
        (group(1).replace(b"[1]", b'["a"]'), "partition 0: sequence 2 cannot be read"),
    ],
)
def test_a_group_that_cannot_be_projected_stops_it(payload: bytes, reason: str) -> None:
    kept = Kept()
    sent = framed("0", 1, group(1)) + REST + framed("0", 2, payload) + framed("0", 3, group(3)) + REST
    assert served(kept, sent) == ["", reason]
    assert kept.lists == [("0", [1], [1])]


def test_the_process_wants_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["rebuild"])
    with pytest.raises(SystemExit, match="usage: rebuild SQLALCHEMY-URL"):
        rebuilding.run(lambda _: Kept(), bytes)


TABLES = MetaData()
ROWS = Table("rows", TABLES, Column("name", Text, primary_key=True), Column("number", Integer))


def database(path: Path, rows: dict[str, int]) -> Engine:
    engine = open_engine(f"sqlite:///{path}", read_only=False)
    TABLES.create_all(engine)
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(ROWS), [{"name": name, "number": number} for name, number in rows.items()])
    return engine


@pytest.mark.parametrize(
    ("live", "again", "found"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, []),
        ({}, {}, []),
        ({"a": 1}, {"a": 2}, ["a number: 1 live, 2 rebuilt"]),
        ({"a": 1, "c": 3}, {"a": 1, "b": 2, "c": 3}, ["b is not in the live one"]),
        ({"a": 1, "b": 2}, {"b": 2}, ["a is in the live one alone"]),
        ({"a": 1}, {}, ["a is in the live one alone"]),
        # By bytes: Z, a, and behind them what is not ASCII.
        ({"é": 1, "a": 1, "Z": 1}, {"é": 1, "Z": 1}, ["a is in the live one alone"]),
    ],
)
def test_rows_side_by_side(tmp_path: Path, live: dict[str, int], again: dict[str, int], found: list[str]) -> None:
    database(tmp_path / "again.db", again).dispose()
    nobody = InProcess(Rebuilding(Kept(), bytes))
    engine = database(tmp_path / "live.db", live)
    results = list(compare(Projected("p", engine, nobody, tmp_path / "again.db")))
    engine.dispose()
    differences = [result for result in results if isinstance(result, Difference)]
    assert [f"{d.place.removeprefix('p rows ')} {d.what}" for d in differences] == found
    assert sum(result for result in results if isinstance(result, int)) == len(live.keys() | again.keys())


def test_a_long_comparison_tells_how_far_it_is(tmp_path: Path) -> None:
    rows = {f"{number:06d}": number for number in range(AT_ONCE + 5)}
    database(tmp_path / "again.db", rows).dispose()
    engine = database(tmp_path / "live.db", rows)
    projected = Projected("p", engine, InProcess(Rebuilding(Kept(), bytes)), tmp_path / "again.db")
    assert list(compare(projected)) == [AT_ONCE, 5]
    engine.dispose()
