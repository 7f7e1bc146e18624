"""How long a process runs before another one has its turn, where there are fewer cores than processes that have something to do.

By Linux's ordinary policy whoever wakes interrupts who runs. On the path everybody wakes everybody: each message would be handled by a process
of its own turn, behind a switch and with cold caches. A process of policy BATCH (sched(7)) interrupts nobody. Who runs goes on until nothing
lies before him or his slice is used up, some milliseconds, and what has come meanwhile the next one takes at once: one write, one group,
one read for many. Where a core is free nothing changes: it is taken in the same moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Scheduler = Literal["batch", "other"]


def use(scheduler: Scheduler, who: str) -> bool:
    """The calling thread, and what it starts, is scheduled so from now on. False: it stays as it is, because that is what was asked for, or
    somebody has chosen another policy for it (chrt(1)), or this is no Linux, or the kernel refuses, which stderr says of `who`."""
    if scheduler == "other" or not hasattr(os, "SCHED_BATCH") or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError as error:  # a sandbox that forbids it
        sys.stderr.write(f"{who}: is not scheduled as {scheduler} ({error.strerror}), and goes on as it was\n")
        return False
    return True


@contextmanager
def meanwhile(scheduler: Scheduler, who: str) -> Iterator[None]:
    """The same as long as this lasts; what is started meanwhile keeps it."""
    changed = use(scheduler, who)
    try:
        yield
    finally:
        if changed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
