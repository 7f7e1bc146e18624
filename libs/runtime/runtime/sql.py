"""SQL engines for projections: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect
from sqlalchemy.engine import make_url

from runtime import logs

log = logs.get("sql")

V = TypeVar("V")

LONGEST_LIST = 512
"""Values of one IN list; SQLite takes 32,766, and beyond some hundreds nothing is gained."""
BUSY_TIMEOUT_S = 30
"""How long a writer waits for another one; several shards write into one SQLite file."""
_SCRATCH = ("journal_mode=MEMORY", "synchronous=OFF", "cache_size=-16384")
"""What a transaction would have to undo stands in memory, so each page is written once; with 16 MiB of pages, instead of 2, those that many
terminals write to in turn stay in memory."""


def open_engine(url: str, *, read_only: bool, scratch: bool = False) -> Engine:
    """An engine whose transactions are what they say; raises SQLAlchemy's ArgumentError for a URL that is none.

    SQLite: WAL, a commit is on the disk when it returns (synchronous=FULL), foreign keys hold, and a writing transaction
    takes the write lock when it begins, so that what it has read stays true until it commits. A `scratch` database is worth nothing once its
    process has ended: nothing waits for the disk.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, hide_parameters=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions late and by itself
        kept = _SCRATCH if scratch else ("journal_mode=WAL", "synchronous=FULL")
        for pragma in (*kept, "foreign_keys=ON", f"query_only={int(read_only)}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def in_lists(values: Iterable[V]) -> Iterator[list[V]]:
    """The values for lists of IN, some hundreds at most in each, which is filled up to a power of two with its last one.

    SQLite's driver parses, and keeps, a statement for each length that it meets: 128 of them, which was 5 MiB a connection, and grew for half an hour.

    >>> list(in_lists("abcde")), list(in_lists(""))
    ([['a', 'b', 'c', 'd', 'e', 'e', 'e', 'e']], [])
    """
    rest = iter(values)
    while found := list(islice(rest, LONGEST_LIST)):
        yield found + found[-1:] * ((1 << (len(found) - 1).bit_length()) - len(found))


def make_tables(engine: Engine, metadata: MetaData) -> str:
    """Makes the tables of a projection where they are not there yet. Which of them are there with other columns than `metadata` has, in words.

    Then all of them, the checkpoints too, have been dropped and made anew: rows of another layout may lack what is asked of them now, and
    all that they said follows from the journal, which the projection reads again from its first group.
    """
    with engine.begin() as connection:
        found = inspect(connection)
        there = {table.name: table for table in metadata.sorted_tables if found.has_table(table.name)}
        other = ", ".join(
            name
            for name, table in there.items()
            if {column["name"] for column in found.get_columns(name)} != set(table.columns.keys())
        )
        if other:
            metadata.drop_all(connection)
        metadata.create_all(connection)
    if other:
        log.warning(
            "tables of another layout: made again from the journal",
            database=Path(engine.url.database or "").name,
            tables=other,
            what_to_do="nothing; what is asked of this projection is answered in part until it has caught up",
        )
    return other


def set_aside_if_damaged(url: str) -> str:
    """What is wrong with the structure of a projection's database, which then has been moved aside: the projection begins again, for
    all of it follows from the journal. Empty when it is well, is not there yet, or is no SQLite file.

    SQLite keeps no checksums: a changed value in a page that is otherwise well is found by `lianji verify`, not here.
    """
    parsed = make_url(url)
    path = Path(parsed.database or "")
    if parsed.get_backend_name() != "sqlite" or not path.is_file():
        return ""
    wrong = _quick_check(path)
    if wrong:
        aside = f"damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        for suffix in ("", "-wal", "-shm"):
            part = Path(f"{path}{suffix}")
            if part.exists():
                part.rename(f"{path}.{aside}{suffix}")
        log.error(
            "database damaged: set aside, and made again from the journal",
            database=path.name,
            reason=wrong,
            aside=f"{path.name}.{aside}",
            what_to_do="look at the disk (dmesg, smartctl); the file that was set aside may be deleted when the projection has caught up",
        )
    return wrong


def _quick_check(path: Path) -> str:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else str(found)
