"""The terminals: each a process of its own, which does one step after the other and remembers what a terminal remembers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

import world
from simulation import cast
from simulation.processes import PROCESS
from simulation.stage import Stage
from simulation.step import Arguments, Wronged
from simulation.steps import STEPS
from terminal_sim.opening import open_till
from terminal_sim.till import Till

REST_S = 0.02
"""Between two steps of an operator."""


class Counter:
    """One terminal, over all the lives of its process."""

    def __init__(self, stage: Stage, tid: str) -> None:
        facts = world.built_in().terminal(tid)
        assert facts is not None  # noqa: S101 - of cast.TERMINALS
        self.name = f"terminal {tid}"
        self.said = ""
        """What came of the last step."""
        self.owes = 0
        """What of chips' orders its bank has yet to be told, after the last step."""
        self.role = facts.role
        self._facts = facts
        self._stage = stage
        self._waiting: deque[tuple[str, Arguments]] = deque()
        self._news = asyncio.Event()
        self._busy = False
        stage.add(self.name, self._main)

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._busy

    def order(self, step: str, arguments: Arguments) -> None:
        self._waiting.append((step, arguments))
        self._news.set()

    def _main(self) -> Coroutine[Any, Any, None]:
        self._busy = False
        return self._work()

    async def _work(self) -> None:
        till = open_till(
            self._facts,
            host="127.0.0.1",
            port=cast.GATEWAY_PORT,
            data_dir=self._stage.data_dir,
            timeout_s=cast.TERMINAL_TIMEOUT_S,
        )
        process = PROCESS.get()
        assert process is not None  # noqa: S101 - started by the stage
        process.at_end.append(till.memory.close)  # what the kernel does for a dead process
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            step, arguments = self._waiting.popleft()
            self._busy = True
            await self._do(till, step, arguments)
            self._busy = False
            await asyncio.sleep(REST_S)

    async def _do(self, till: Till, step: str, arguments: Arguments) -> None:
        self._stage.told("step", " ".join((step, *(f"{key}={value}" for key, value in arguments.items()))))
        try:
            result = await STEPS[step].do(till, arguments)
        except Wronged as error:
            result = f"wronged: {error}"
            self._stage.wronged.append(f"{self.name}: {error}")
        self.said, self.owes = result, len(till.terminal.record.results)
        self._stage.told("came", f"{step}: {result}")
