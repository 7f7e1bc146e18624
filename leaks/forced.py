"""Failures forced inside services: chosen functions are wrapped as their modules are imported, and fail now and then.

Each failure is noted, before it
happens, as a byte more in a file of its own under LEAKS_RECORD, so a process that dies of it has been counted too.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import os
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

RECORD, TRANSACTIONS = "LEAKS_RECORD", "LEAKS_TRANSACTIONS"
"""Variables: the directory of the counts, and how many transactions the run is to have."""

Careless = Callable[[tuple[Any, ...]], None]
"""Raises, given the positional arguments of the function that it fails in."""


class Point(NamedTuple):
    """A function of a service that fails now and then."""

    service: str
    """The package that runs as `python -m`."""
    kind: str
    """What a careless developer has written, or how the process ends; unique within the service."""
    target: str
    """`module:Class.method` or `module:function`."""
    fail: Careless
    every: int = 0
    """One call in so many fails; 0: as many as make about FAILURES in the run, when each transaction makes one call."""
    most: int = 1_000_000
    """Failures in the whole run, over all lives of the process."""
    after: bool = False
    """Fails when the work has been done, so that only its answer is lost; `fail` then gets the result behind the arguments."""


FAILURES, SELDOM = 40, 25
"""Of one kind in a run; and the fewest calls between two of them, for a short run is not to consist of failures alone."""


def record_path(directory: Path, point: Point) -> Path:
    return directory / f"{point.service}.{point.kind.replace(' ', '-')}"


class _Trigger:
    """Decides at which calls a point fails."""

    def __init__(self, point: Point, directory: Path, transactions: int) -> None:
        self._point = point
        self._path = record_path(directory, point)
        self._every = point.every or max(SELDOM, transactions // FAILURES)
        self._calls = itertools.count(1)

    def pull(self, arguments: tuple[Any, ...]) -> None:
        """Raises, or ends the process, when this call's turn has come."""
        if next(self._calls) % self._every or self._count() >= self._point.most:
            return
        with self._path.open("ab") as record:
            record.write(b".")
        self._point.fail(arguments)
        raise AssertionError(f"{self._point.kind}: did not fail")

    def _count(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0


def wrapped(function: Callable[..., Any], trigger: _Trigger, *, after: bool) -> Callable[..., Any]:
    """`function`, failing when the trigger says so."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def failing_coroutine(*arguments: Any, **named: Any) -> Any:
            if not after:
                trigger.pull(arguments)
            result = await function(*arguments, **named)
            if after:
                trigger.pull((*arguments, result))
            return result

        return failing_coroutine

    @functools.wraps(function)
    def failing(*arguments: Any, **named: Any) -> Any:
        if not after:
            trigger.pull(arguments)
        result = function(*arguments, **named)
        if after:
            trigger.pull((*arguments, result))
        return result

    return failing


def arm(module: ModuleType, point: Point, directory: Path, transactions: int) -> None:
    """Puts a point into its module; AttributeError when there is nothing of that name: the table is then to be mended."""
    *owners, name = point.target.partition(":")[2].split(".")
    owner: Any = module
    for step in owners:
        owner = getattr(owner, step)
    trigger = _Trigger(point, directory, transactions)
    setattr(owner, name, wrapped(getattr(owner, name), trigger, after=point.after))


class Loader(SourceFileLoader):
    """Loads a module and arms its points at once, before anybody can take a name out of it."""

    points: tuple[Point, ...] = ()

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        for point in self.points:
            arm(module, point, Path(os.environ[RECORD]), int(os.environ[TRANSACTIONS]))
