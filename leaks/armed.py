"""The way into a service: what `leaks/inside/sitecustomize.py` calls in every process that has that folder on PYTHONPATH.

Nothing of this is in a service that is started otherwise.
"""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from leaks.forced import RECORD, Loader, Point
from leaks.points import POINTS


class _Finder(MetaPathFinder):
    def __init__(self, points: tuple[Point, ...]) -> None:
        self._points = points

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        points = tuple(point for point in self._points if point.target.partition(":")[0] == fullname)
        spec = PathFinder.find_spec(fullname, path, target) if points else None
        if spec is None or spec.origin is None:
            return None
        loader = Loader(fullname, spec.origin)
        loader.points = points
        spec.loader = loader
        return spec


def service_of(arguments: list[str]) -> str:
    """The package that a process runs by `python -m`; empty for any other process."""
    return arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else ""


def install() -> None:
    """Arms this process when it is a service of a run; does nothing in any other."""
    if RECORD not in os.environ:
        return
    service = service_of(sys.orig_argv)
    points = tuple(point for point in POINTS if point.service == service)
    if points:
        sys.meta_path.insert(0, _Finder(points))
