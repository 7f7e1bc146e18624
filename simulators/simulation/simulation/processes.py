"""Processes within one process: what runs belongs to one of them, and dies, stops or has a wrong clock with it.

A process is a context: every callback, task and timer that its code makes inherits it (PEP 567). So the loop knows whose turn
a callback is, without the code knowing that it is not alone.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any


class Process:
    """One life of a process. A restarted one is another object with the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.clock_ahead_ns = 0
        """How wrong its wall clock is."""
        self.fuse = 0
        """Callbacks that it still runs before it is killed; 0: no end is set."""
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)
        self.waiting: list[asyncio.Handle] = []
        """What would have run while it was stopped (SIGSTOP)."""
        self.remains: list[Any] = []
        """What belonged to the dead. Kept until the end: were it freed, its `finally` blocks would run as if it lived."""
        self.signals: dict[int, Callable[[], Any]] = {}
        self.at_end: list[Callable[[], None]] = []
        """What the kernel does when it dies: hang up, close its files."""

    def __repr__(self) -> str:
        return f"Process({self.name})"


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
"""Whose code is running; None for the simulation itself."""
