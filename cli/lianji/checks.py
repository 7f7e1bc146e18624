"""Checks of options that need nothing but the value. They run before the command does, and name their option."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import typer

from contracts.identity import shard_of_rrn
from lianji.errors import CliError


def between(low: float, high: float) -> Callable[[float | None], float | None]:
    """The check of a number that is a fraction: finite, and within the limits, both included."""

    def check(value: float | None) -> float | None:
        if value is not None and not low <= value <= high:  # not a number is nowhere
            raise typer.BadParameter(f"{value} is not between {low} and {high}")
        return value

    return check


def whole_between(low: int, high: int) -> Callable[[int | None], int | None]:
    """The check of a whole number within the limits, both included."""

    def check(value: int | None) -> int | None:
        if value is not None and not low <= value <= high:
            raise typer.BadParameter(f"{value} is not between {low} and {high}")
        return value

    return check


def rrn(value: str) -> str:
    """A reference number (field 37) as this stack gives them out: 12 digits."""
    try:
        shard_of_rrn(value)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is not 12 digits") from None
    return value


def rrn_or_trace_id(value: str) -> str:
    """A reference number, or a trace id: 32 hex digits in lower case (W3C Trace Context, 3.2.2.3)."""
    return value if is_trace_id(value) else rrn(value)


def is_trace_id(value: str) -> bool:
    return len(value) == 32 and not value.strip("0123456789abcdef")


def nats(value: str) -> str:
    """Empty (the stack on the data directory), or the URL of a broker."""
    wrong = typer.BadParameter(f"{value!r} is not nats://HOST:PORT; write it like nats://127.0.0.1:4222")
    if not value:
        return value
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:  # a port that is no number below 65536
        raise wrong from None
    if url.scheme != "nats" or not url.hostname or not port or url.netloc.count("@") or url.path.strip("/"):
        raise wrong
    return value


def data_dir(value: Path | None) -> Path | None:
    """A directory, or a place where one could be made."""
    if value is None:
        return None
    try:
        nearest = next(path for path in (value.absolute(), *value.absolute().parents) if path.exists())
    except OSError as error:
        raise typer.BadParameter(f"{value}: {error.strerror}") from None
    if not nearest.is_dir():
        raise typer.BadParameter(f"{value} cannot be a directory: {nearest} is a file")
    return value


def key_dir(value: Path | None) -> Path | None:
    """A directory that is there."""
    if value is not None and not value.is_dir():
        raise typer.BadParameter(f"{value} is no directory; `lianji keys new {value}` makes one")
    return value


def make_data_dir(path: Path) -> None:
    """Makes the directory, for commands that write; raises CliError when that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"data-dir: {path} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise CliError(f"data-dir: {path} cannot be written")


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?", re.ASCII)


def duration(value: str) -> float:
    """Seconds, of a time like 500ms, 2s, 5m or 1h; a number alone is seconds.

    >>> duration("500ms"), duration("2m"), duration("-1h"), duration("3")
    (0.5, 120.0, -3600.0, 3.0)
    """
    found = _DURATION.fullmatch(value)
    if found is None:
        raise typer.BadParameter(f"{value!r} is not a time; write it like 500ms, 2s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2] or "s"]
