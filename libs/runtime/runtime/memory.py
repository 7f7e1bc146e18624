"""Memory that is free goes back to the system.

What a burst has needed glibc keeps for the next one: a snapshot's bytes, the rows of a second that brought more than others. A process
looked a tenth larger after half an hour than after five minutes, and held no more.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable

EVERY_S = 30.0
_ARENA_MAX = -8
"""M_ARENA_MAX of malloc.h, mallopt(3)."""
ARENAS = 2
"""glibc would give each thread a heap of its own, up to eight a core. Worker threads take turns, so that in time each of their heaps would
have seen the largest piece of work and be in shreds of its own: the event loop has one here, and all of them have the other."""


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
