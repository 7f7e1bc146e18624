"""The append rules against each trap of the broker: an acknowledgement means durable, once, and an unknown outcome is found out."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.log import GroupLog, LogDamaged, Position, read_groups
from runtime.memory_log import MemoryLog, Trap


def make(traps: list[Trap | None]) -> tuple[MemoryLog, GroupLog]:
    store = MemoryLog()
    store.traps = deque(traps)
    log = GroupLog(store, 1, Position(), now_ns=time.time_ns)
    log.RETRY_S = 0
    return store, log


async def records(store: MemoryLog) -> list[int]:
    last = await store.last_sequence()
    return [msgspec.json.decode(r) async for g in read_groups(store, Position(), last) for r in g.group.records]


@pytest.mark.parametrize("trap", list(Trap))
async def test_each_trap_leaves_the_record_once(trap: Trap) -> None:
    store, log = make([trap])
    appended = await log.append([b"1"])
    assert appended.sequence == 1
    await log.append([b"2"])
    assert await records(store) == [1, 2]


@given(st.lists(st.sampled_from([None, *Trap]), max_size=30), st.integers(1, 20))
def test_any_order_of_traps(traps: list[Trap | None], count: int) -> None:
    async def run() -> None:
        store, log = make(list(traps))
        futures = []
        for number in range(count):
            futures.append(log.append([b"%d" % number]))
            await asyncio.sleep(0)
        await asyncio.gather(*futures)
        assert await records(store) == list(range(count))

    asyncio.run(run())


async def test_flushed_waits_for_what_was_appended_before() -> None:
    store, log = make([Trap.LOST, Trap.LOST_ACK])
    future = log.append([b"1"])
    await log.flushed()
    assert future.done()
    assert await records(store) == [1]


async def test_a_missing_group_is_damage() -> None:
    store, log = make([])
    for number in range(3):
        await log.append([b"%d" % number])
    del store.groups[1]
    with pytest.raises(LogDamaged):
        await records(store)
