"""When the machine itself stood still: a time to recover that is long for that reason is the machine's and not the stack's."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

EVERY_S = 0.1
WORTH_TELLING_S = 1.0


class Stalled(NamedTuple):
    """The longest times since it was asked last."""

    process_s: float
    """That this process, with its proxies, wanted to run and did not."""
    disk_s: float
    """That a synced write of one byte took, beside the broker's."""

    def __str__(self) -> str:
        found = {"processes": self.process_s, "disk": self.disk_s}
        return ", ".join(f"{what} for {s:.1f} s" for what, s in found.items() if s >= WORTH_TELLING_S)


class Stalls:
    """Watches while it is open."""

    def __init__(self) -> None:
        self._process_s = self._disk_s = 0.0

    @asynccontextmanager
    async def watch(self, folder: Path) -> AsyncIterator[None]:
        watching = [
            asyncio.create_task(self._watch_process()),
            asyncio.create_task(self._watch_disk(folder / "stalls")),
        ]
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def since(self) -> Stalled:
        """Since the last call, or the beginning."""
        found = Stalled(self._process_s, self._disk_s)
        self._process_s = self._disk_s = 0.0
        return found

    async def _watch_process(self) -> None:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(EVERY_S)
            self._process_s = max(self._process_s, time.monotonic() - began_s - EVERY_S)

    async def _watch_disk(self, path: Path) -> None:
        while True:
            self._disk_s = max(self._disk_s, await asyncio.to_thread(_sync, path))
            await asyncio.sleep(EVERY_S)


def _sync(path: Path) -> float:
    """How long it took, in seconds."""
    began_s = time.monotonic()
    with path.open("wb") as file:
        file.write(b"\0")
        file.flush()
        os.fsync(file.fileno())
    return time.monotonic() - began_s
