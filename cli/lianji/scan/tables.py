"""Every text and blob of every table of every SQLite database under a directory, read only. Slips are rows of receipts.db.

A column's declared type binds SQLite to nothing, so the values' own types count; whole numbers that are long enough to be a
card number are read as digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, column, inspect, table
from sqlalchemy.exc import SQLAlchemyError

from lianji.errors import CliError
from lianji.scan.bcd import SEPARATOR
from lianji.scan.detector import Detector
from lianji.scan.files import files_under
from lianji.scan.named import under_its_name
from lianji.scan.report import Report
from runtime.sql import open_engine

_MAGIC = b"SQLite format 3\x00"
ROWS_AT_ONCE = 500
_SHORTEST = 10**12
_BETWEEN = SEPARATOR.decode(errors="surrogateescape")


def search_databases(directory: Path, detector: Detector, report: Report) -> None:
    """Raises CliError for a database that cannot be read."""
    for path in databases_under(directory):
        search_database(directory, path, detector, report)


def databases_under(directory: Path) -> Iterator[Path]:
    """A `.db` of another make is a file like others."""
    return (path for path in files_under(directory) if path.suffix == ".db" and _is_sqlite(path))


def search_database(directory: Path, path: Path, detector: Detector, report: Report) -> None:
    """Raises CliError when it cannot be read."""
    engine = open_engine(f"sqlite:///{path}", read_only=True)
    report.count("sql", databases=1)
    try:
        _search(engine, str(path.relative_to(directory)), detector, report)
    except SQLAlchemyError as error:
        raise CliError(f"{path}: cannot be read ({type(error).__name__})") from None
    finally:
        engine.dispose()


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except FileNotFoundError:
        return False  # deleted since
    except OSError as error:
        raise CliError(f"{path}: cannot be read: {error.strerror}") from None


def _search(engine: Engine, where: str, detector: Detector, report: Report) -> None:
    with engine.begin() as connection:
        inspector = inspect(connection)
        for name in inspector.get_table_names():
            columns = [str(c["name"]) for c in inspector.get_columns(name)]
            key = [columns.index(c) for c in inspector.get_pk_constraint(name)["constrained_columns"]]
            report.count("sql", tables=1)
            done = 0
            for rows in _pages(connection, name, columns):
                _search_rows(rows, columns, key, f"{where} {name}", done, detector, report)
                done += len(rows)


def _pages(connection: Connection, name: str, columns: list[str]) -> Iterator[Sequence[Sequence[Any]]]:
    query = table(name, *(column(c) for c in columns)).select()
    yield from connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).partitions()


def _search_rows(
    rows: Sequence[Sequence[Any]],
    columns: list[str],
    key: list[int],
    where: str,
    done: int,
    detector: Detector,
    report: Report,
) -> None:
    """All rows at once first: almost always there is nothing in them. `done` is the number of rows before these."""
    joined = SEPARATOR.join(map(_all_readable, columns, zip(*rows, strict=True)))
    report.count("sql", rows=len(rows), bytes=len(joined))
    if not any(True for _ in detector.find(joined)):
        return
    for number, row in enumerate(rows, done + 1):
        name_of_row = ",".join(f"{columns[i]}={row[i]}" for i in key) or f"row {number}"
        for name, value in zip(columns, row, strict=True):
            report.add(detector, detector.find(_readable(name, value)), f"{where}.{name} {name_of_row}")


def _all_readable(name: str, values: Sequence[object]) -> bytes:
    """`_readable` of each, the separator between them. Nearly all columns hold texts alone, or small numbers: those are taken at once."""
    if not under_its_name(name, b""):
        if all(type(value) is str for value in values):
            return _BETWEEN.join(cast("Sequence[str]", values)).encode(errors="surrogateescape")
        if all(type(value) is int and value < _SHORTEST for value in values):
            return SEPARATOR * (len(values) - 1)
    return SEPARATOR.join(_readable(name, value) for value in values)


def _readable(name: str, value: object) -> bytes:
    """The bytes to look through; empty for what cannot hold card data."""
    if isinstance(value, str):
        data = value.encode(errors="surrogateescape")
    elif isinstance(value, bytes):
        data = value
    elif type(value) is int and (value >= _SHORTEST or under_its_name(name, b"")):
        data = str(value).encode()
    else:
        return b""
    return under_its_name(name, data)
