"""No core dumps: the memory of a process that works on cards holds clear PINs and keys, and a dump would put them on the disk."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def forbid() -> None:
    """For this process, and by the limit also for those that it starts (setrlimit(2), core(5)).

    The limit does not bind a dump that the kernel pipes to a program; on Linux prctl(2) does, and nobody may read the memory either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
