"""kill -9 and SIGSTOP, of one process or of all at once."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass

from lianji.faults.processes import is_paused, pause, resume
from reliability.chaos.fault import Arena, Fault, Over, now_s


@dataclass(frozen=True, kw_only=True)
class Kill(Fault):
    """kill -9 of everybody in `ends`; the supervisor starts them again."""

    async def strike(self, arena: Arena) -> Over:
        at_s = now_s()
        for pid in [arena.pid(name) for name in self.ends]:
            os.kill(pid, signal.SIGKILL)
        return Over(at_s)


@dataclass(frozen=True, kw_only=True)
class Pause(Fault):
    """SIGSTOP for a while. Its sockets stay open, and nobody reads them."""

    name: str

    async def strike(self, arena: Arena) -> Over:
        pid = arena.pid(self.name)
        await pause(pid)
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            if is_paused(pid):
                await resume(pid)
        return Over(now_s())
