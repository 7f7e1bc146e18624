"""Memory that is free goes back to the system, and the search for cycles seldom takes place.

What a burst has needed glibc keeps for the next one: a snapshot's bytes, the rows of a second that brought more than others. A process
looked a tenth larger after half an hour than after five minutes, and held no more.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 30.0
_ARENA_MAX = -8
"""M_ARENA_MAX of malloc.h, mallopt(3)."""
ARENAS = 2
"""glibc would give each thread a heap of its own, up to eight a core. Worker threads take turns, so that in time each of their heaps would
have seen the largest piece of work and be in shreds of its own: the event loop has one here, and all of them have the other."""
_THRESHOLDS = (20_000, 50, 50)
"""A message makes some hundred objects and no cycle: by the interpreter's own thresholds they are looked through with every second one."""


def give_back(every_s: float = EVERY_S) -> threading.Thread | None:
    """From now on, every so often, in a thread of its own (malloc_trim(3); milliseconds, without the interpreter's lock). To be called before
    there are other threads: they share their heaps from then on. None where the C library has no such calls."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    trim = getattr(library, "malloc_trim", None)
    if library is None or trim is None:
        return None
    library.mallopt(_ARENA_MAX, ARENAS)
    thread = threading.Thread(target=_keep_on, args=(trim, every_s), name="memory", daemon=True)
    thread.start()
    return thread


def _keep_on(trim: Callable[[int], int], every_s: float) -> None:
    never = threading.Event()
    while not never.wait(every_s):
        trim(0)


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
