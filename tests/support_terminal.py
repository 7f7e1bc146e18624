"""A terminal's line that is a call to a practice host: no socket, no waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import world
from terminal_sim.link import LinkError, LinkLostError
from terminal_sim.memory import TerminalMemory
from terminal_sim.practice import PracticeHost
from terminal_sim.schemes import seal_of
from terminal_sim.terminal import Terminal
from terminal_sim.till import Till


@contextmanager
def till_at(folder: Path, host: PracticeHost) -> Iterator[Till]:
    """The first terminal of the test world, directly at `host`, with its memory in `folder`."""
    facts = world.built_in().terminal("10000001")
    assert facts is not None
    memory = TerminalMemory.open(folder, facts.tid)
    terminal = Terminal(tid=facts.tid, mid=facts.merchant, record=memory.record, seal=seal_of(facts))
    till = Till(terminal, memory, DirectLink(host))  # type: ignore[arg-type]
    yield till
    till.shut()


class DirectLink:
    """Of each `loses` answers one is lost (0: none); while it is `dead` nothing can be sent."""

    tls = None
    timeout_s = 60.0
    drop_answers = 0

    def __init__(self, host: PracticeHost, loses: int = 0) -> None:
        self._host = host
        self.loses = loses
        self._sent = 0
        self.dead = False

    async def connect(self) -> bool:
        if self.dead:
            raise LinkError("no line")
        return False

    async def connect_within(self, patience_s: float) -> None:
        return

    def send(self, body: bytes) -> asyncio.Future[bytes]:
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer = self._host.answer(body)
        self._sent += 1
        lost = self.drop_answers > 0 or (self.loses and self._sent % self.loses == 0)
        self.drop_answers = max(0, self.drop_answers - 1)
        if lost:
            waiter.set_exception(LinkLostError("lost on purpose"))
        else:
            waiter.set_result(answer)
        return waiter

    def give_up(self) -> None:
        return

    def close(self) -> None:
        return

    def rest(self) -> None:
        return

    def shut(self) -> None:
        return
