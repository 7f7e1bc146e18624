"""A broker that is started again: leases stay with those who had them, and nothing is appended before the stream has been seen whole."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from lianji.broker import LocalBroker
from runtime import jetstream
from runtime.bus import Bus, NoAnswer
from runtime.jetstream import JetStreamLog, Lease, open_lease
from runtime.log import GroupLog, LogDamaged, Position
from runtime.provision import Declaration, LogDeclaration, provision

PATIENCE_S = 30


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def bus(broker: LocalBroker) -> AsyncIterator[Bus]:
    bus = await Bus.connect(broker.url, f"test-{os.getpid()}", wait_s=10)
    await provision(bus, Declaration((LogDeclaration("T", "t.t"),), "LEASES", (), max_bytes=1 << 26))
    yield bus
    await bus.close()


async def until_restored(bus: Bus, before: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while bus.reconnections == before:
            await asyncio.sleep(0.01)


async def run_out(bus: Bus, key: str) -> None:
    """Returns when nobody holds the lease."""
    looking = await open_lease(bus, "LEASES", key, "looking")
    async with asyncio.timeout(PATIENCE_S):
        while not await looking.take():
            await asyncio.sleep(0.05)
    await looking.release()


async def test_a_lease_that_ran_out_while_the_broker_was_away_is_its_holder_s_again(
    broker: LocalBroker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jetstream, "HEAD_START_S", 3600.0
    )  # far longer than the test: who takes it is no matter of who is faster
    holder = await open_lease(bus, "LEASES", "shard.0", "same-name")
    standby = await open_lease(bus, "LEASES", "shard.0", "same-name")
    assert await holder.take()
    assert not await standby.take()
    broker.stop()
    for lease in (holder, standby):
        with pytest.raises(NoAnswer):
            await (lease.renew() if lease is holder else lease.take())
    restored = bus.reconnections
    broker.start()
    await until_restored(bus, restored)
    await run_out(bus, "shard.0")
    assert not await standby.take(), "its former holder comes first"
    assert await holder.renew()
    assert not await standby.take()
    await holder.release()
    monkeypatch.setattr(jetstream, "HEAD_START_S", 0.0)
    assert await standby.take()
    assert not await holder.renew(), "it is another's now"


async def test_a_renewal_that_landed_unseen_is_known_again(bus: Bus) -> None:
    holder = await open_lease(bus, "LEASES", "shard.1", "holder")
    assert await holder.take()
    seen = holder._revision
    assert await holder.renew()
    holder._revision = seen  # the acknowledgement was lost
    assert await holder.renew()
    assert not await Lease(holder._bucket, "shard.1", "holder").take()


async def test_a_renewal_that_was_lost_with_the_connection_is_no_full_disk(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = await open_lease(bus, "LEASES", "shard.2", "holder")
    assert await holder.take()
    put, lost = holder._bucket.update, iter([True, False])

    async def update(key: str, value: bytes, last: int | None = None) -> int:
        if next(lost):
            raise TimeoutError
        return await put(key, value, last)

    monkeypatch.setattr(holder._bucket, "update", update)
    assert await holder.renew()
    assert next(lost, "both") == "both"


async def test_nothing_is_appended_to_a_stream_that_came_back_short(broker: LocalBroker, bus: Bus) -> None:
    log = JetStreamLog(bus, "T", "t.t")
    for number in range(3):
        assert await log.append(b"group %d" % number, expected=number, message_id=str(number)) == number + 1
    restored = bus.reconnections
    broker.stop()
    (block,) = (broker.directory / "jetstream").glob("**/T/msgs/*.blk")
    content = bytearray(block.read_bytes())
    content[content.index(b"group 1")] ^= 1
    block.write_bytes(content)
    for index in block.parent.parent.glob("**/index.db"):
        index.unlink()  # as after a power cut: the server reads its blocks anew
    broker.start()
    await until_restored(bus, restored)
    with pytest.raises(LogDamaged, match="it ends at 1, and 3 had been acknowledged"):
        await log.append(b"group 3", expected=3, message_id="3")
    assert (await log.read(4)) is None


async def test_an_owner_that_outlives_its_broker_tells_how_far_it_has_read_from_the_new_one(
    broker: LocalBroker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor need not read all of it again, and is in office sooner; also when it dies before it has read everything."""
    monkeypatch.setattr(jetstream, "NOTED_EVERY", 2)
    log, told = JetStreamLog(bus, "T", "t.t"), asyncio.Queue[tuple[int, str, bool]]()

    async def on_read(sequence: int, of: str, whole: bool) -> None:
        await told.put((sequence, of, whole))

    log.on_read = on_read
    writer = GroupLog(log, 1, Position(), now_ns=time.time_ns)
    for number in range(3):
        await writer.append([b'"record %d"' % number])
    restored, former = bus.reconnections, bus.broker
    broker.stop()
    broker.start()
    await until_restored(bus, restored)
    assert told.empty()
    await writer.append([b'"record 3"'])
    assert await asyncio.wait_for(told.get(), PATIENCE_S) == (0, bus.broker, False), (
        "it goes on, and has read nothing yet"
    )
    assert await asyncio.wait_for(told.get(), PATIENCE_S) == (2, bus.broker, False)
    assert await asyncio.wait_for(told.get(), PATIENCE_S) == (3, bus.broker, True)
    assert bus.broker != former


async def test_damage_that_a_broker_has_not_noticed_is_found_by_an_owner_that_outlives_it(
    broker: LocalBroker, bus: Bus
) -> None:
    """With its index whole the server believes it, and reads a block when somebody asks."""
    await until_damaged(await over_damage(broker, bus))


async def over_damage(broker: LocalBroker, bus: Bus) -> GroupLog:
    """The writer of three groups whose broker has died, and has lost a bit of the first one before it is there again."""
    writer = GroupLog(JetStreamLog(bus, "T", "t.t"), 1, Position(), now_ns=time.time_ns)
    for number in range(3):
        await writer.append([b'"record %d"' % number])
    restored = bus.reconnections
    broker.stop()
    (block,) = (broker.directory / "jetstream").glob("**/T/msgs/*.blk")
    content = bytearray(block.read_bytes())
    content[content.index(b"record 0")] ^= 1
    block.write_bytes(content)
    broker.start()
    await until_restored(bus, restored)
    return writer


async def until_damaged(writer: GroupLog) -> None:
    async def append_on() -> None:
        while True:  # what is appended meanwhile is sound: the owner's memory is whole
            await writer.append([b'"record"'])

    with pytest.raises(LogDamaged):
        await asyncio.wait_for(append_on(), PATIENCE_S)
    assert writer.over


async def test_damage_is_found_by_who_takes_over_without_having_read_all(broker: LocalBroker, bus: Bus) -> None:
    writer = await over_damage(broker, bus)
    successor, read = JetStreamLog(bus, "T", "t.t"), asyncio.Event()

    async def on_read(_: int, __: str, whole: bool) -> None:
        if whole:
            read.set()

    successor.on_read = on_read
    successor.read_beside(2, 3, bus.broker)
    await asyncio.wait_for(read.wait(), PATIENCE_S)
    takes_over = GroupLog(successor, 2, writer.position, now_ns=time.time_ns)
    await takes_over.append([b'"its epoch"'])  # what it was told has been read it does not read again
    other = JetStreamLog(bus, "T", "t.t")
    other.read_beside(0, 4, bus.broker)
    await until_damaged(GroupLog(other, 3, takes_over.position, now_ns=time.time_ns))


async def test_a_whole_stream_is_read_once_for_each_start_of_the_broker(
    broker: LocalBroker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, read = JetStreamLog(bus, "T", "t.t"), []
    reading = log.read_from

    def read_from(sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        read.append((sequence, last))
        return reading(sequence, last)

    monkeypatch.setattr(log, "read_from", read_from)
    writer = GroupLog(log, 1, Position(), now_ns=time.time_ns)
    await writer.append([b"1"])
    for starts in (1, 2):
        restored = bus.reconnections
        broker.stop()
        broker.start()
        await until_restored(bus, restored)
        await writer.append([b"2"])
        await writer.append([b"3"])
        assert len(read) == starts
    assert read[0] == (1, 1)
