"""The interpreter's search for cycles, where messages make none: it seldom takes place."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (20_000, 50, 50)
"""A message makes some hundred objects and no cycle: by the interpreter's own thresholds they are looked through with every second one."""


def collect_seldom() -> None:
    """From now on. What is there already is taken to live as long as the process: the collector does not look at it again."""
    gc.collect()
    gc.set_threshold(*_THRESHOLDS)
    gc.freeze()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """The same as long as this lasts."""
    before = gc.get_threshold()
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
