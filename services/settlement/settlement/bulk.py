"""Statements for many rows, compiled once per dialect.

SQLAlchemy's own executemany builds a dictionary of parameters per row, which costs more than SQLite takes to store it.
Here rows are tuples in the order of `columns`, and go to the driver as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update


class Bulk:
    """One INSERT or UPDATE for many rows; no column of it may need SQLAlchemy to convert its values."""

    def __init__(self, statement: Insert | Update, columns: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns))
        self._sql = str(compiled)
        self._columns = tuple(columns)
        order = getattr(compiled, "positiontup", None)
        self._order = None if order is None else [self._columns.index(name) for name in order]
        self._in_order = self._order == list(range(len(self._columns)))

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Executes the statement for each row."""
        if not rows:
            return
        parameters: Any
        if self._order is None:  # the driver takes names
            parameters = [dict(zip(self._columns, row, strict=True)) for row in rows]
        elif self._in_order:
            parameters = rows
        else:
            parameters = [tuple(row[place] for place in self._order) for row in rows]
        connection.exec_driver_sql(self._sql, parameters)
