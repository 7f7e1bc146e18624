"""The search of a directory by several processes: it finds what the search by one finds, and misses no file that is renamed meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

import world
from lianji.errors import CliError
from lianji.scan import apart
from lianji.scan.apart import is_worth_it, search_apart
from lianji.scan.detector import Detector
from lianji.scan.everywhere import search_directory
from lianji.scan.files import Identity
from lianji.scan.report import Report
from lianji.scan.wanted import wanted

WANTED = wanted(world.built_in())
PAN = "6291010000000012"


def silent(_: str) -> None:
    return


def stack(directory: Path) -> Path:
    """Card data in a log, in a row, and in the bytes of that row's file."""
    (directory / "logs").mkdir(parents=True)
    (directory / "logs" / "auth-a.log").write_text(f"a {PAN}\n" + "." * 100_000)
    (directory / "logs" / "clean.log").write_text("nothing\n")
    with sqlite3.connect(directory / "receipts.db") as rows:
        rows.execute("CREATE TABLE slips (id INTEGER PRIMARY KEY, facts TEXT)")
        rows.execute("INSERT INTO slips VALUES (1, ?)", (f'{{"card": "{PAN}"}}',))
    rows.close()
    return directory


def alone(directory: Path) -> Report:
    report = Report()
    search_directory(directory, Detector(WANTED), report, silent)
    return report


def by_many(directory: Path) -> Report:
    return asyncio.run(search_apart(directory, WANTED, silent))


def test_many_find_what_one_finds(tmp_path: Path) -> None:
    directory = stack(tmp_path / "data")
    one, many = alone(directory), by_many(directory)
    assert one.found == 3
    assert sorted(find.place for find in many.finds) == sorted(find.place for find in one.finds)
    assert (many.found, many.searched) == (one.found, one.searched)


def test_a_log_that_is_renamed_before_its_turn_is_searched_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = stack(tmp_path / "data")
    listing, log = apart._files, directory / "logs" / "auth-a.log"
    listed: list[int] = []

    def files(of: Path) -> Iterable[tuple[apart._Part, Identity]]:
        found = list(listing(of))
        listed.append(len(found))
        if len(listed) == 1:
            log.rename(log.with_suffix(".log.1"))
            log.write_text("a new one\n")
        return found

    monkeypatch.setattr(apart, "_files", files)
    report = by_many(directory)
    assert "logs/auth-a.log.1 at 2" in {find.place for find in report.finds}
    assert report.searched["logs"]["files"] == 3
    assert len(listed) == 3, "until nothing new is there"


def test_a_database_that_cannot_be_read_ends_the_search(tmp_path: Path) -> None:
    directory = stack(tmp_path / "data")
    (directory / "settlement.db").write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    with pytest.raises(CliError, match=r"settlement\.db: cannot be read"):
        by_many(directory)


def test_little_is_searched_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = stack(tmp_path / "data")
    assert not is_worth_it(directory)
    monkeypatch.setattr(apart, "WORTH_BYTES", 1)
    monkeypatch.setattr(apart, "_cores", lambda: 2)
    assert is_worth_it(directory)
    monkeypatch.setattr(apart, "_cores", lambda: 1)
    assert not is_worth_it(directory)
