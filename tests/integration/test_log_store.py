"""The same suite on the log in memory and on a JetStream stream: what the fake copies must be what the broker does."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import (
    AppendUnknown,
    Fenced,
    GroupLog,
    LogDamaged,
    LogStore,
    Position,
    WrongSequence,
    decode_group,
    digest,
    read_groups,
)

START = Position()


def group_log(store: LogStore, epoch: int = 1, position: Position = START) -> GroupLog:
    return GroupLog(store, epoch, position, now_ns=time.time_ns)


def record(number: int) -> bytes:
    return msgspec.json.encode({"n": number})


async def all_records(store: LogStore) -> list[int]:
    last = await store.last_sequence()
    return [
        msgspec.json.decode(raw)["n"] async for g in read_groups(store, Position(), last) for raw in g.group.records
    ]


async def test_empty_log_has_sequence_zero(store: LogStore) -> None:
    assert await store.last_sequence() == 0
    assert await store.read(1) is None


async def test_append_needs_the_expected_sequence(store: LogStore) -> None:
    assert await store.append(b"a", expected=0, message_id="a") == 1
    with pytest.raises(WrongSequence):
        await store.append(b"b", expected=0, message_id="b")
    assert await store.append(b"c", expected=1, message_id="c") == 2
    assert [await store.read(1), await store.read(2), await store.read(3)] == [b"a", b"c", None]
    assert [row async for row in store.read_from(2, 2)] == [(2, b"c")]


async def test_what_waits_for_a_group_becomes_the_next_group(store: LogStore) -> None:
    log = group_log(store)
    futures = [log.append([record(n)]) for n in range(100)]
    appended = await asyncio.gather(*futures)
    assert await all_records(store) == list(range(100))
    assert await store.last_sequence() < 10  # the first, and what had gathered behind it
    assert appended[0].sequence == 1
    assert appended[-1].sequence == await store.last_sequence()


async def test_groups_are_chained_by_hash(store: LogStore) -> None:
    log = group_log(store)
    await log.append([record(1)])
    await log.append([record(2)])
    first, second = await store.read(1), await store.read(2)
    assert first is not None
    assert second is not None
    assert decode_group(first).prev == ""
    assert decode_group(second).prev == digest(first)


async def test_a_broken_chain_is_noticed(store: LogStore) -> None:
    await group_log(store).append([record(1)])
    stranger = group_log(store, 2, position=Position(1, "not the digest of what stands there"))
    await stranger.append([record(2)])
    with pytest.raises(LogDamaged, match="hash chain is broken at sequence 2"):
        await all_records(store)


async def test_a_former_owner_is_fenced_and_its_memory_is_worth_nothing(store: LogStore) -> None:
    former = group_log(store)
    await former.append([record(1)])
    first = await store.read(1)
    assert first is not None
    successor = group_log(store, 2, Position(1, digest(first)))
    await successor.append([record(2)])
    ended: list[Exception] = []
    former.on_end = ended.append
    with pytest.raises(Fenced):
        await former.append([record(3)])
    with pytest.raises(Fenced):
        await former.append([record(4)])  # and for ever
    with pytest.raises(Fenced):
        await former.flushed()
    assert len(ended) == 1
    assert await all_records(store) == [1, 2]


async def test_two_owners_at_once_leave_one_history(store: LogStore) -> None:
    logs = [group_log(store), group_log(store)]  # the same epoch, the same group number, as after a tie for the lease
    results = await asyncio.gather(*(log.append([record(n)]) for n, log in enumerate(logs)), return_exceptions=True)
    winners = [n for n, r in enumerate(results) if not isinstance(r, BaseException)]
    assert len(winners) == 1
    assert await all_records(store) == winners


async def test_large_queues_are_cut_into_groups(store: LogStore) -> None:
    log = group_log(store)
    log.GROUP_RECORDS = 10
    await asyncio.gather(*(log.append([record(n), record(-n)]) for n in range(30)))
    sizes = [len(decode_group(payload).records) async for _, payload in store.read_from(1, await store.last_sequence())]
    assert sum(sizes) == 60
    assert max(sizes) <= 10


async def test_a_group_is_handed_over_when_it_has_left_and_not_before(store: LogStore) -> None:
    log, append = group_log(store), store.append
    looking, may_leave = asyncio.Event(), asyncio.Event()

    async def after_a_look(payload: bytes, **more: Any) -> int:
        looking.set()  # as after a reconnection: whether the stream still reaches as far as it must
        await may_leave.wait()
        return await append(payload, **more)

    handed_over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with patch.object(store, "append", after_a_look):
        done = log.append([record(1)], handed_over=handed_over)
        await asyncio.wait_for(looking.wait(), 10)
        assert not handed_over.done()
        may_leave.set()
        await asyncio.wait_for(handed_over, 10)
        await done


async def test_what_cannot_leave_is_not_handed_over(bus: Bus) -> None:
    left: list[bool] = []
    log = JetStreamLog(bus, "NONE", "none.v1")
    await bus.client.close()
    with pytest.raises(AppendUnknown):
        await log.append(b"a", expected=0, message_id="a", sent=lambda: left.append(True))
    assert not left
