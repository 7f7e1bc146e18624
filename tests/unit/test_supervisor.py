"""Children of the supervisor: started again when they die, replaced without a gap, and never left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lianji import supervisor
from lianji.supervisor import Child, NotReplacedError

PATIENCE_S = 30
LIVES = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def ready(pid: int) -> bool:
    return True


class Nursery:
    """One child that lives until it is told otherwise, or does what the environment says."""

    def __init__(self, folder: Path) -> None:
        self.program = LIVES
        self.child = Child(
            "child",
            [sys.executable, "-c", "import os; exec(os.environ['PROGRAM'])"],
            lambda: {"PROGRAM": self.program},
            folder / "child.log",
            lambda _: None,
        )
        self.supervising = asyncio.create_task(self.child.supervise())

    async def started(self, other_than: int = 0) -> int:
        async with asyncio.timeout(PATIENCE_S):
            while self.child.pid in (0, other_than) or not self.child.alive:
                await asyncio.sleep(0.01)
        return self.child.pid


@pytest.fixture
async def nursery(tmp_path: Path) -> AsyncIterator[Nursery]:
    nursery = Nursery(tmp_path)
    yield nursery
    await nursery.child.stop()
    await asyncio.wait_for(nursery.supervising, PATIENCE_S)


async def test_a_successor_stands_beside_its_predecessor_until_it_is_ready(nursery: Nursery) -> None:
    former, asked = await nursery.started(), []

    async def ready_at_the_second_look(pid: int) -> bool:
        asked.append(pid)
        assert runs(former), "nobody has gone before the successor is ready"
        return len(asked) > 1

    await nursery.child.replace(ready_at_the_second_look, beside=True)
    assert nursery.child.pid == asked[0] == asked[1] != former
    assert not runs(former)
    assert nursery.child.starts == 2, "the end of the former one was no death"
    os.kill(nursery.child.pid, 9)
    assert await nursery.started(other_than=asked[0])


async def test_a_long_log_is_put_aside_when_its_process_is_replaced(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    await nursery.started()
    log, aside = nursery.child.log_file, nursery.child.log_file.with_name("child.log.1")
    log.write_text("short")
    await nursery.child.replace(ready, beside=True)
    assert not aside.exists()
    monkeypatch.setattr(supervisor, "LOG_BYTES", 4)
    await nursery.child.replace(ready, beside=True)
    assert aside.read_text() == "short"
    assert log.read_text() == ""


async def test_where_two_cannot_stand_the_former_one_goes_first(nursery: Nursery) -> None:
    former = await nursery.started()

    async def alone(pid: int) -> bool:
        assert not runs(former)
        return True

    await nursery.child.replace(alone, beside=False)
    assert nursery.child.pid != former
    assert nursery.child.starts == 2


async def test_a_successor_that_ends_costs_nothing(nursery: Nursery) -> None:
    former, nursery.program = await nursery.started(), "exit(3)"

    async def never(pid: int) -> bool:
        return False

    with pytest.raises(NotReplacedError, match="child: its successor has ended"):
        await nursery.child.replace(never, beside=True)
    assert nursery.child.pid == former
    assert nursery.child.alive


async def test_a_stop_in_the_middle_leaves_nobody_behind(nursery: Nursery) -> None:
    former, successors, seen = await nursery.started(), [], asyncio.Event()

    async def never(pid: int) -> bool:
        successors.append(pid)
        seen.set()
        return False

    replacing = asyncio.create_task(nursery.child.replace(never, beside=True))
    await asyncio.wait_for(seen.wait(), PATIENCE_S)
    await asyncio.wait_for(nursery.child.stop(), PATIENCE_S)
    with pytest.raises(NotReplacedError, match="is not ready"):
        await replacing
    assert not runs(former)
    assert not runs(successors[0])
