"""Files and tables as `lianji scan` reads them: nothing is left out, and a find says where it is."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

import world
from lianji.errors import CliError
from lianji.scan.detector import Detector
from lianji.scan.files import MARGIN_BYTES, OVERLAP_BYTES, READ_BYTES, hits_in, search_files
from lianji.scan.report import KEPT, Report
from lianji.scan.tables import ROWS_AT_ONCE, search_databases
from lianji.scan.wanted import wanted

DETECTOR = Detector(wanted(world.built_in()))
PAN, MASKED = "6291010000000012", "629101******0012"


def files(directory: Path) -> Report:
    report = Report()
    search_files(directory, DETECTOR, report)
    return report


def tables(directory: Path) -> Report:
    report = Report()
    search_databases(directory, DETECTOR, report)
    return report


def database(path: Path, create: str, insert: str, rows: Sequence[tuple[object, ...]]) -> None:
    connection = sqlite3.connect(path)
    connection.execute(create)
    connection.executemany(insert, rows)
    connection.commit()
    connection.close()


BORDERS = (0, READ_BYTES - OVERLAP_BYTES, READ_BYTES, 2 * READ_BYTES - OVERLAP_BYTES - MARGIN_BYTES, 2 * READ_BYTES)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("before", [40, 17, 16, 15, 8, 1, 0])
def test_a_find_at_the_border_of_a_read_is_found_once(border: int, before: int) -> None:
    start = max(border - before, 0)
    data = b"." * start + PAN.encode() + b"." * (3 * READ_BYTES - start)
    assert [offset for offset, _ in hits_in(io.BytesIO(data), DETECTOR)] == [start]


@pytest.mark.parametrize("border", BORDERS[1:])
def test_the_border_of_a_read_is_no_border_of_a_hash(border: int) -> None:
    stranger = "6282027777777775"
    data = b"." * (border - 30) + b"a" * 30 + stranger.encode() + b"a" * 30 + b"." * READ_BYTES
    assert list(hits_in(io.BytesIO(data), DETECTOR)) == []


def test_every_file_is_read(tmp_path: Path) -> None:
    places = (
        "logs/a.log",
        "traces/a.jsonl.1",
        "terminals/1.jsonl",
        "run/a.json",
        "broker/x/1.blk",
        "x.db-wal",
        ".hidden/y",
    )
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(f"a {PAN}")
    report = files(tmp_path)
    assert sorted(find.place for find in report.finds) == sorted(f"{place} at 2" for place in places)
    assert {find.value for find in report.finds} == {MASKED}
    assert report.searched == {
        "logs": {"files": 1, "bytes": 18},
        "traces": {"files": 1, "bytes": 18},
        "terminals": {"files": 1, "bytes": 18},
        "other files": {"files": 4, "bytes": 72},
    }


def test_a_file_s_name(tmp_path: Path) -> None:
    (tmp_path / f"dump-{PAN}.txt").touch()
    (find,) = files(tmp_path).finds
    assert find.place == f"dump-{MASKED}.txt (its name)"


def test_what_cannot_be_read_is_no_clean_bill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.log").touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CliError, match=r"a\.log: cannot be read: Permission denied"):
        files(tmp_path)


def test_many_finds_are_counted_and_some_kept(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{PAN}\n" * (KEPT + 5))
    report = files(tmp_path)
    assert (report.found, len(report.finds)) == (KEPT + 5, KEPT)


def test_rows(tmp_path: Path) -> None:
    database(
        tmp_path / "receipts.db",
        "CREATE TABLE slips (rrn TEXT PRIMARY KEY, facts TEXT, copy BLOB, pin TEXT, at BIGINT)",
        "INSERT INTO slips VALUES (?, ?, ?, ?, ?)",
        [
            ("1", f"card {PAN}", None, None, 1795434395999),
            ("2", "x", bytes.fromhex(PAN), None, 1795434395999),
            ("3", "x", None, "123456", 1),
            ("4", "x", None, None, int(PAN)),
            (PAN, "x", None, None, 1),
            ("5", "123456", None, "****", 5),
        ],
    )
    report = tables(tmp_path)
    assert [(find.kind, find.form, find.place) for find in report.finds] == [
        ("pan", "text", "receipts.db slips.facts rrn=1"),
        ("pan", "bcd", "receipts.db slips.copy rrn=2"),
        ("pin", "text", "receipts.db slips.pin rrn=3"),
        ("pan", "text", "receipts.db slips.at rrn=4"),
        ("pan", "text", f"receipts.db slips.rrn rrn={MASKED}"),
    ]
    counts = report.searched["sql"]
    assert (counts["databases"], counts["tables"], counts["rows"]) == (1, 1, 6)


def test_a_table_without_a_key_and_many_rows(tmp_path: Path) -> None:
    rows = [(PAN if number == 2 * ROWS_AT_ONCE else str(number),) for number in range(1, 3 * ROWS_AT_ONCE)]
    database(tmp_path / "a.db", 'CREATE TABLE "odd name" ("a column" TEXT)', 'INSERT INTO "odd name" VALUES (?)', rows)
    (find,) = tables(tmp_path).finds
    assert find.place == f"a.db odd name.a column row {2 * ROWS_AT_ONCE}"


def test_values_beside_one_another_are_no_number(tmp_path: Path) -> None:
    database(
        tmp_path / "a.db",
        "CREATE TABLE t (a TEXT, b TEXT)",
        "INSERT INTO t VALUES (?, ?)",
        [(PAN[:8], PAN[8:])],
    )
    assert tables(tmp_path).found == 0


def test_columns_beside_one_another_in_a_file_are_no_number(tmp_path: Path) -> None:
    """Voucher number 629, shard 1 and reference number 010000000012 stand in a database's file as one run: a card's number, by chance."""
    path = tmp_path / "a.db"
    create = "CREATE TABLE t (id TEXT, shard TEXT, rrn TEXT)"
    row = ("10000001:000001:000629", "1", "010000000012")
    database(path, create, "INSERT INTO t VALUES (?, ?, ?)", [row])
    assert "".join(row).encode() in path.read_bytes()
    assert "".join(row)[-16:] == PAN
    assert files(tmp_path).found == 0
    path.with_suffix(".log").write_text("".join(row))  # in any other file such a run is a frame's dump
    assert files(tmp_path).found == 1


def test_a_number_that_was_deleted_from_a_database_may_stand_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database(path, "CREATE TABLE t (card TEXT)", "INSERT INTO t VALUES (?)", [(f"card {PAN}",)])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete = OFF")  # some builds wipe what is deleted
    connection.execute("DELETE FROM t")
    connection.commit()
    connection.close()
    assert PAN.encode() in path.read_bytes()
    assert (tables(tmp_path).found, files(tmp_path).found) == (0, 1)


def test_a_database_of_another_make_is_a_file_like_others(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text(f"not SQLite {PAN}")
    assert tables(tmp_path).searched == {}
    assert files(tmp_path).found == 1


def test_a_damaged_database_is_no_clean_bill(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"SQLite format 3\x00" + b"\xee" * 4096)
    with pytest.raises(CliError, match=r"a\.db: cannot be read"):
        tables(tmp_path)
