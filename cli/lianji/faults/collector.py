"""The receiver of traces hangs: dead-collector. It is stopped and not killed, since a dead process would be started again."""

from __future__ import annotations

from typing import ClassVar

from lianji.faults.fault import Fault, Target
from lianji.faults.processes import is_paused, pause, resume

COLLECTOR = "collector"


class DeadCollector(Fault):
    name: ClassVar = "dead-collector"
    does: ClassVar = "the receiver of traces hangs: it takes connections and answers nothing"
    alert: ClassVar = "SpansLost"

    async def on(self, target: Target) -> None:
        await pause(target.pid(COLLECTOR))

    @classmethod
    async def off(cls, target: Target) -> None:
        if COLLECTOR in target.stack.processes:
            await resume(target.pid(COLLECTOR))

    @classmethod
    async def state(cls, target: Target) -> str:
        return "hangs" if COLLECTOR in target.stack.processes and is_paused(target.pid(COLLECTOR)) else ""
