"""Projections made again from zero, and held against the live ones row for row.

The code that makes them again is the service's own, in a process of its own that is fed with the groups which have been read here anyway
(runtime.rebuilding): the live service's consumers are not touched, and the command line knows nothing of a service but its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, select

from runtime.rebuilding import REST, Rebuilding, Rested, framed
from runtime.sql import open_engine

ANSWER_S = 600.0
AT_ONCE = 500
SHOWN_CHARACTERS = 60

UNCOMPARED = {"checkpoints": frozenset({"sequence"})}
"""Columns that move on without anything having happened: a health check appends an empty group."""


class Rebuilder(Protocol):
    """Makes one projection again."""

    async def take(self, partition: str, sequence: int, payload: bytes) -> None:
        """The next group of a partition."""

    async def rest(self) -> str:
        """Everything so far is in the tables; else why it stopped."""

    async def close(self) -> None: ...


MakeRebuilder = Callable[[str], Awaitable[Rebuilder]]
"""For an empty database, by its URL."""


class InProcess:
    """A Rebuilder that runs here, for who may import the service."""

    def __init__(self, rebuilding: Rebuilding) -> None:
        self._rebuilding = rebuilding

    async def take(self, partition: str, sequence: int, payload: bytes) -> None:
        self._rebuilding.take(partition, sequence, payload)

    async def rest(self) -> str:
        return self._rebuilding.rest().stopped

    async def close(self) -> None:
        return


class InService:
    """`python -m SERVICE.rebuild` as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - asked for when it was started
        self._process, self._in, self._out = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, service: str, url: str) -> InService:
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"{service}.rebuild", url, stdin=pipe, stdout=pipe
            )
        )

    async def take(self, partition: str, sequence: int, payload: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # it has ended: `rest` says so
            self._in.write(framed(partition, sequence, payload))
            await self._in.drain()

    async def rest(self) -> str:
        with contextlib.suppress(ConnectionError):
            self._in.write(REST)
            await self._in.drain()
        async with asyncio.timeout(ANSWER_S):
            line = await self._out.readline()
        return msgspec.json.decode(line, type=Rested).stopped if line else "its process has ended"

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


def in_services(*services: str) -> dict[str, MakeRebuilder]:
    """By service, as far as its code is installed here."""

    def maker(service: str) -> MakeRebuilder:
        return lambda url: InService.start(service, url)

    return {service: maker(service) for service in services if importlib.util.find_spec(service) is not None}


class Projected(NamedTuple):
    """One projection: the live one, and the same made again."""

    name: str
    live: Engine
    rebuilder: Rebuilder
    rebuilt: Path


Row = tuple[Any, ...]


class Difference(NamedTuple):
    """A row that is not the same in both."""

    place: str
    """Projection, table and key."""
    what: str


def compare(projected: Projected) -> Iterator[Difference | int]:
    """The differences, and now and then how many rows were compared. Raises SQLAlchemyError."""
    rebuilt = open_engine(f"sqlite:///{projected.rebuilt}", read_only=True, scratch=True)
    try:
        tables = MetaData()
        tables.reflect(rebuilt)
        with projected.live.begin() as live, rebuilt.begin() as again:
            for table in tables.sorted_tables:
                yield from _compare(f"{projected.name} {table.name}", table, live, again)
    finally:
        rebuilt.dispose()


def _compare(place: str, table: Table, live: Connection, again: Connection) -> Iterator[Difference | int]:
    columns = [c for c in table.columns if c.name not in UNCOMPARED.get(table.name, ())]
    names = [c.name for c in columns]
    key = [names.index(c.name) for c in table.primary_key]
    left, right = _pages(live, columns, key), _pages(again, columns, key)
    none: list[Row] = []
    for mine, its in zip_longest(left, right, fillvalue=none):
        if mine == its:  # as nearly all are: no row of them has to be looked at
            yield len(mine)
            continue
        # From here on row by row, for one that is missing shifts all that follow.
        rows = _side_by_side(chain(mine, chain.from_iterable(left)), chain(its, chain.from_iterable(right)), key)
        yield from _differences(place, columns, key, rows)


def _differences(
    place: str, columns: Sequence[Column[Any]], key: Sequence[int], rows: Iterator[tuple[Row | None, Row | None]]
) -> Iterator[Difference | int]:
    count = 0
    for mine, its in rows:
        count += 1
        if count == AT_ONCE:
            yield count
            count = 0
        if mine == its:
            continue
        row = mine or its or ()
        yield Difference(f"{place} {' '.join(str(row[k]) for k in key)}", _difference(columns, mine, its))
    yield count


def _pages(connection: Connection, columns: Sequence[Column[Any]], key: Sequence[int]) -> Iterator[list[Row]]:
    """In the order of the key, by the bytes of its texts on every database."""
    postgresql = connection.dialect.name == "postgresql"
    order = [columns[k].collate("C") if postgresql and isinstance(columns[k].type, Text) else columns[k] for k in key]
    for page in connection.execution_options(yield_per=AT_ONCE).execute(select(*columns).order_by(*order)).partitions():
        yield [tuple(row) for row in page]


def _side_by_side(
    left: Iterator[Row], right: Iterator[Row], key: Sequence[int]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of both with the same key together; None where one of them has none."""
    mine, its = next(left, None), next(right, None)
    while mine is not None or its is not None:
        mine_at, its_at = _key(mine, key), _key(its, key)
        if its_at is None or (mine_at is not None and mine_at < its_at):
            yield mine, None
            mine = next(left, None)
        elif mine_at is None or its_at < mine_at:
            yield None, its
            its = next(right, None)
        else:
            yield mine, its
            mine, its = next(left, None), next(right, None)


def _key(row: Row | None, key: Sequence[int]) -> tuple[Any, ...] | None:
    """Texts by their bytes, as the databases order them."""
    return None if row is None else tuple(row[k].encode() if isinstance(row[k], str) else row[k] for k in key)


def _difference(columns: Sequence[Column[Any]], mine: Row | None, its: Row | None) -> str:
    if mine is None or its is None:
        return "is not in the live one" if mine is None else "is in the live one alone"
    return "; ".join(
        f"{column.name}: {_short(a)} live, {_short(b)} rebuilt"
        for column, a, b in zip(columns, mine, its, strict=True)
        if a != b
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{len(text)} characters"
