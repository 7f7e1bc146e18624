"""What is compared, as rows of a temporary database, so that memory stays flat however much there is.

Each reader writes rows of its own table; an invariant is a query over several of them. Nothing in here outlives the check: there is no
sync, no rollback, and the file has no name by the time it holds anything.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from runtime.sql import in_lists

R = TypeVar("R", bound=msgspec.Struct)

KEPT = 10_000
"""Rows of a table that are in memory: most are looked for again soon after they were written."""
BUFFERED = 5_000
TOLD_APART = 1 << 23
"""Keys of a table that are told apart without asking for them, a bit each: most that are looked for are new. Of two million, one in four is not."""
_CACHE_KIB = 16 * 1024


class Rows(Generic[R]):
    """The rows of one table by key: structs, to be changed in place at once after they were got."""

    def __init__(self, database: sqlite3.Connection, table: str, kind: type[R], keys: int) -> None:
        """The first `keys` fields of `kind` are the key; its fields are the table's columns."""
        columns = kind.__struct_fields__
        key = columns[:keys]
        places = ", ".join("?" * len(columns))
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({', '.join(key)}))")
        self._write = f"INSERT INTO {table} VALUES ({places}) ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
        self._select = f"SELECT * FROM {table} WHERE {' AND '.join(f'{name} = ?' for name in key)}"
        self._database, self._table, self._kind, self._keys = database, table, kind, keys
        self._changed: dict[tuple[str | int, ...], R] = {}
        self._unchanged: dict[tuple[str | int, ...], R] = {}
        self._added = bytearray(TOLD_APART // 8)
        """A bit for each key that there may be: of one without it there is no row."""

    def get(self, *key: str | int) -> R | None:
        """The row, to be changed if need be; None when there is none."""
        row = self._changed.get(key)
        if row is None:
            row = self._unchanged.pop(key, None) or self._read(key)
            if row is not None:
                self._keep(key, row)
        return row

    def peek(self, *key: str | int) -> R | None:
        """The row, not to be changed."""
        return self._changed.get(key) or self._unchanged.get(key) or self._read(key)

    def peek_all(self, keys: Iterable[str]) -> dict[str, R]:
        """As `peek` of each that is there, where one field is the key."""
        self.flush()
        found: dict[str, R] = {}
        for some in in_lists(keys):
            rows = self._database.execute(f"SELECT * FROM {self._table} WHERE {self._among(some)}", some)
            found.update((row[0], self._kind(*row)) for row in rows)
        return found

    def change_all(self, keys: Iterable[str], changes: str) -> None:
        """Changes the rows that are there, where one field is the key: by SQL, the assignments of an UPDATE."""
        self.flush()
        for some in in_lists(keys):
            self._database.execute(f"UPDATE {self._table} SET {changes} WHERE {self._among(some)}", some)
            for key in some:
                self._unchanged.pop((key,), None)

    def _among(self, keys: list[str]) -> str:
        return f"{self._kind.__struct_fields__[0]} IN ({', '.join('?' * len(keys))})"

    def add(self, row: R) -> R:
        """A row whose key is new."""
        key = msgspec.structs.astuple(row)[: self._keys]
        place = hash(key) % TOLD_APART
        self._added[place >> 3] |= 1 << (place & 7)
        self._keep(key, row)
        return row

    def _keep(self, key: tuple[str | int, ...], row: R) -> None:
        if len(self._changed) >= KEPT:
            self.flush()
        self._changed[key] = row

    def _read(self, key: tuple[str | int, ...]) -> R | None:
        place = hash(key) % TOLD_APART
        if not self._added[place >> 3] >> (place & 7) & 1:
            return None
        found = self._database.execute(self._select, key).fetchone()
        return None if found is None else self._kind(*found)

    def flush(self) -> None:
        """Writes what has changed; queries see it from here on."""
        if self._changed:
            self._database.executemany(self._write, map(msgspec.structs.astuple, self._changed.values()))
            self._unchanged, self._changed = self._changed, {}


class Facts:
    """The database. Tables come from those who read the sides; `query` sees all that they have written."""

    def __init__(self, directory: Path | None = None) -> None:
        """In memory, or a file in `directory` that is gone with the process; raises OSError."""
        self._database = _in_memory() if directory is None else _in_file(directory)
        self._rows: list[Rows[Any]] = []

    def rows(self, table: str, kind: type[R], *, keys: int = 1) -> Rows[R]:
        """A new table of such structs."""
        rows = Rows(self._database, table, kind, keys)
        self._rows.append(rows)
        return rows

    def table(self, name: str, *columns: str, key: str = "") -> None:
        """A new table, or an empty one in the place of the former; `key` is its primary key."""
        self._database.execute(f"DROP TABLE IF EXISTS {name}")
        self._database.execute(
            f"CREATE TABLE {name} ({', '.join((*columns, *([f'PRIMARY KEY ({key})'] if key else [])))})"
        )

    def index(self, name: str, table: str, columns: str, *, where: str = "") -> None:
        """Made once; only rows for which `where` is true are in it."""
        condition = f" WHERE {where}" if where else ""
        self._database.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns}){condition}")

    def write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Runs a statement for each of the rows."""
        for _ in self.writing(statement, rows):
            pass

    def writing(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[int]:
        """The same some thousand rows at a time; how many, each time."""
        rest = iter(rows)
        while buffer := list(islice(rest, BUFFERED)):
            self._database.executemany(statement, buffer)
            yield len(buffer)

    def query(self, statement: str, *values: object) -> Iterator[sqlite3.Row]:
        """The rows, with their columns by name."""
        self.flush()
        return iter(self._database.execute(statement, values))

    def count(self, statement: str, *values: object) -> int:
        """The first column of the first row."""
        return int(next(self.query(statement, *values))[0] or 0)

    def flush(self) -> None:
        for rows in self._rows:
            rows.flush()

    def close(self) -> None:
        self._database.close()


def _in_memory() -> sqlite3.Connection:
    return _prepared(":memory:")


def _in_file(directory: Path) -> sqlite3.Connection:
    descriptor, name = tempfile.mkstemp(prefix="lianji-verify-", suffix=".sqlite", dir=directory)
    os.close(descriptor)
    database = _prepared(name)
    os.unlink(name)  # the open file lives as long as the connection, and nothing is left however this ends
    return database


def _prepared(name: str) -> sqlite3.Connection:
    database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    for pragma in (
        "journal_mode = OFF",
        "synchronous = OFF",
        "locking_mode = EXCLUSIVE",
        f"cache_size = -{_CACHE_KIB}",
    ):
        database.execute(f"PRAGMA {pragma}")
    database.row_factory = sqlite3.Row
    database.execute("BEGIN")  # for ever: nothing is synced, so there is nothing to commit
    return database
