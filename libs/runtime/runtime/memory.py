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


def give_back(every_s: float = EVERY_S) -> threading.Thread | None:
    """From now on, every so often, in a thread of its own (malloc_trim(3); milliseconds, without the interpreter's lock). None where the C
    library has no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is None:
        return None
    thread = threading.Thread(target=_keep_on, args=(trim, every_s), name="memory", daemon=True)
    thread.start()
    return thread


def _keep_on(trim: Callable[[int], int], every_s: float) -> None:
    never = threading.Event()
    while not never.wait(every_s):
        trim(0)
