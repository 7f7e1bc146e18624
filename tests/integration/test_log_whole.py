"""What is gone from a log, or wrong in it, is found before its owner says a word, wherever it stands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from unittest.mock import patch

import pytest

from runtime import intact
from runtime.bus import Bus
from runtime.bus_errors import NoAnswer
from runtime.heads import BucketHeads
from runtime.jetstream import open_bucket
from runtime.log import AppendUnknown, GroupLog, LogDamaged, Position, digest
from runtime.memory_log import MemoryLog
from runtime.ownership import replay
from runtime.provision import Declaration, provision
from runtime.snapshots import BucketSnapshots, NoSnapshots, Snapshot
from tests.integration.test_ownership import PATIENCE_S, CounterMachine, Lock, make

MACHINE = CounterMachine()


class MemoryBucket:
    """runtime.snapshots.Bucket in memory."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self.values[key] = value


class Silent(MemoryBucket):
    async def get(self, key: str) -> bytes | None:
        raise NoAnswer("bucket: TimeoutError")


async def filled(groups: int = 9) -> tuple[MemoryLog, Position]:
    store = MemoryLog()
    log = GroupLog(store, 1, Position(), now_ns=lambda: 0)
    for number in range(groups):
        await log.append([MACHINE.encode(number)])
    return store, log.position


async def noted(heads: BucketHeads, sequence: int) -> None:
    while (await heads.newest()).sequence < sequence:
        await asyncio.sleep(0.01)


def at(store: MemoryLog, sequence: int) -> Position:
    return Position(sequence, digest(store.groups[sequence - 1]))


async def test_a_log_that_ends_before_its_head_is_damaged() -> None:
    store, end = await filled()
    heads = BucketHeads(MemoryBucket(), store.name, broker=lambda: "one")
    await heads.save(end)
    assert (await replay(store, MACHINE, NoSnapshots(), heads))[1] == end
    del store.groups[-1]  # what is left is a whole chain
    with pytest.raises(LogDamaged, match="it ends at 8, and 9 had been acknowledged"):
        await replay(store, MACHINE, NoSnapshots(), heads)


async def test_who_goes_on_writing_while_its_log_is_read_has_damaged_nothing() -> None:
    store, end = await filled()
    heads = BucketHeads(MemoryBucket(), store.name, broker=lambda: "one")
    snapshots = BucketSnapshots(MemoryBucket(), store.name)
    log = GroupLog(store, 1, end, now_ns=lambda: 0)
    last_sequence = store.last_sequence

    async def and_one_more() -> int:
        last = await last_sequence()
        await log.append([MACHINE.encode(9)])  # by the former owner, whose lease is over and who does not know it yet
        await heads.save(log.position)
        await snapshots.save(Snapshot(log.position, b"9"))
        return last

    with patch.object(store, "last_sequence", and_one_more):
        assert (await replay(store, MACHINE, snapshots, heads))[1] == end


async def test_a_log_whose_newest_group_is_another_is_damaged() -> None:
    store, end = await filled()
    heads = BucketHeads(MemoryBucket(), store.name, broker=lambda: "one")
    await heads.save(end)
    store.groups[-1] = store.groups[-1].replace(b"[8]", b"[7]")  # nothing follows that would name its digest
    with pytest.raises(LogDamaged, match="sequence 9 is not what had been acknowledged"):
        await replay(store, MACHINE, NoSnapshots(), heads)


async def test_a_head_that_nobody_can_read_lets_nobody_into_office() -> None:
    store, _ = await filled()
    with pytest.raises(AppendUnknown):
        await replay(store, MACHINE, NoSnapshots(), BucketHeads(Silent(), store.name, broker=lambda: "one"))


async def test_a_head_that_was_not_written_costs_nothing_but_the_check_of_the_end() -> None:
    store, end = await filled()
    bucket = MemoryBucket()
    await bucket.put(f"{store.name}.head", b"?")
    assert (await replay(store, MACHINE, NoSnapshots(), BucketHeads(bucket, store.name, broker=str)))[1] == end


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda groups: groups.__setitem__(1, groups[1].replace(b"[1]", b"[7]")), "broken at sequence 3"),
        (lambda groups: groups.__setitem__(5, groups[5].replace(b"[5]", b"[7]")), "a snapshot"),
    ],
    ids=["in front of the snapshot", "the snapshot's own group"],
)
async def test_what_no_replay_reads_is_read_once_after_each_start_of_the_broker(
    damage: Callable[[list[bytes]], None], says: str
) -> None:
    store, _ = await filled()
    bucket, broker = MemoryBucket(), ["one"]
    snapshots = BucketSnapshots(bucket, store.name)
    heads = BucketHeads(bucket, store.name, broker=lambda: broker[0])
    await replay(store, MACHINE, snapshots, heads)
    state, position, *_ = await replay(store, MACHINE, NoSnapshots(), heads)
    await snapshots.save(Snapshot(at(store, 6), MACHINE.dump(state)))
    before = list(store.groups)
    damage(store.groups)
    if store.groups[5] == before[5]:
        assert (await replay(store, MACHINE, snapshots, heads))[1] == position  # the broker that runs has read it well
    broker[0] = "two"
    with pytest.raises(LogDamaged, match=says):
        await replay(store, MACHINE, snapshots, heads)
    store.groups[:] = before
    assert (await replay(store, MACHINE, snapshots, heads))[1] == position
    assert (await heads.so_far()).up_to == 9


async def test_a_broker_that_was_started_while_the_log_was_read_has_not_been_read() -> None:
    store, _ = await filled()
    broker = ["one"]
    heads = BucketHeads(MemoryBucket(), store.name, broker=lambda: broker[0])
    reading = store.read_from

    async def read_from(sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        async for number, payload in reading(sequence, last):
            broker[0] = "two" if number == 5 else broker[0]
            yield number, payload

    store.read_from = read_from  # type: ignore[method-assign]
    await replay(store, MACHINE, NoSnapshots(), heads)
    assert (await heads.so_far()).up_to == 0
    broker[0] = "one"
    assert (await heads.so_far()).up_to == 9


def starts_of(store: MemoryLog) -> list[int]:
    """From where the log is read, from now on."""
    starts, reading = list[int](), store.read_from

    def read_from(sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        starts.append(sequence)
        return reading(sequence, last)

    store.read_from = read_from  # type: ignore[method-assign]
    return starts


async def test_what_the_running_broker_has_read_or_written_well_is_not_read_again() -> None:
    """However long an owner has been in office: its successor reads what nobody has read yet."""
    store, _ = await filled()
    broker, bucket, starts = ["one"], MemoryBucket(), starts_of(store)
    heads, snapshots = (
        BucketHeads(bucket, store.name, broker=lambda: broker[0]),
        BucketSnapshots(bucket, store.name),
    )
    state, *_ = await replay(store, MACHINE, NoSnapshots(), heads)
    await snapshots.save(Snapshot(at(store, 9), MACHINE.dump(state)))
    await heads.mark_read(3, "one")
    starts.clear()
    await replay(store, MACHINE, snapshots, heads)
    assert starts == [4, 10], "what stands between the mark and the snapshot, and what stands behind it"
    await heads.mark_read(3, "one")
    await heads.save(at(store, 9), read_from="one")
    starts.clear()
    await replay(store, MACHINE, snapshots, heads)
    assert starts == [10]
    broker[0] = "two"
    starts.clear()
    await replay(store, MACHINE, snapshots, heads)
    assert starts == [1, 10]


async def test_who_dies_while_it_reads_leaves_the_rest_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner and its broker that die within seconds: the successor does not begin anew, however often it happens."""
    monkeypatch.setattr(intact, "NOTED_EVERY", 2)
    store, _ = await filled()
    broker, starts = ["one"], list[int]()
    bucket, reading = MemoryBucket(), store.read_from
    heads, snapshots = (
        BucketHeads(bucket, store.name, broker=lambda: broker[0]),
        BucketSnapshots(bucket, store.name),
    )
    state, *_ = await replay(store, MACHINE, NoSnapshots(), heads)
    await snapshots.save(Snapshot(at(store, 9), MACHINE.dump(state)))
    broker[0] = "two"

    async def breaks_off(sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        starts.append(sequence)
        async for number, payload in reading(sequence, last):
            if number == sequence + 3:
                raise AppendUnknown("the reader died")
            yield number, payload

    store.read_from = breaks_off  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(AppendUnknown):
            await replay(store, MACHINE, snapshots, heads)
    store.read_from = reading  # type: ignore[method-assign]
    assert starts == [1, 3]
    assert (await heads.so_far()).up_to == 4
    await replay(store, MACHINE, snapshots, heads)
    assert (await heads.so_far()).up_to == 9


@pytest.mark.parametrize("how", ["its owner went on", "this process stood by"])
async def test_a_log_that_was_in_service_when_its_broker_died_is_read_beside_the_work(how: str) -> None:
    store, _ = await filled()
    broker, bucket, seen, starts = ["one"], MemoryBucket(), set[str](), starts_of(store)
    heads = BucketHeads(bucket, store.name, broker=lambda: broker[0], seen=lambda: seen)
    snapshots = BucketSnapshots(bucket, store.name)
    state, *_ = await replay(store, MACHINE, NoSnapshots(), heads)
    await snapshots.save(Snapshot(at(store, 6), MACHINE.dump(state)))
    await heads.save(at(store, 9), read_from="one")
    broker[0] = "two"
    if how == "its owner went on":
        await heads.mark_read(3, "two", gone_on_from="one")
    else:
        seen.add("one")
    starts.clear()
    found = await replay(store, MACHINE, snapshots, heads)
    assert (found.unread, starts) == ((3 if how == "its owner went on" else 0, "one"), [7])
    assert (await heads.so_far()).up_to == (3 if how == "its owner went on" else 0), "nobody has read it all"
    broker[0] = "three"
    seen.discard("one")
    assert (await replay(store, MACHINE, snapshots, heads)).unread is None, "where all is started anew it is read first"
    assert starts[-2:] == [1, 7]


async def test_an_owner_that_reads_beside_its_work_leaves_the_same_to_its_successor() -> None:
    store, lock, bucket, broker = MemoryLog(), Lock(), MemoryBucket(), ["one"]
    heads = BucketHeads(bucket, store.name, broker=lambda: broker[0])
    owner, office, lease = make(store, lock, "owner", heads=heads)
    running = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    assert office.term is not None
    await office.term.append([1])
    broker[0] = "two"
    await owner.has_read(1, "two", False)
    assert await heads.so_far() == (1, "one")
    await office.term.append([1])
    await asyncio.wait_for(noted(heads, 3), PATIENCE_S)
    assert (await heads.so_far()).up_to == 1, "its head does not say that all has been read"
    await owner.has_read(3, "two", True)
    assert await heads.so_far() == (3, "")
    lease.lost = True
    await owner.drain()
    await running


async def test_an_owner_notes_its_head_and_its_successor_misses_what_is_gone() -> None:
    store, lock, bucket = MemoryLog(), Lock(), MemoryBucket()
    heads = BucketHeads(bucket, store.name, broker=lambda: "one")
    owner, office, lease = make(store, lock, "owner", heads=heads)
    running = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    assert office.term is not None
    assert (await heads.newest()).sequence == 1  # its epoch, before anybody is served
    await office.term.append([1])
    await asyncio.wait_for(noted(heads, 2), PATIENCE_S)
    assert (await heads.so_far()).up_to == 2, "it has read or written all of it"
    lease.lost = True  # it dies: no drain, no snapshot
    await asyncio.wait_for(office.closed.wait(), PATIENCE_S)
    await owner.drain()
    await running
    del store.groups[-1]
    lock.holder = None
    second, standby, _ = make(store, lock, "second", heads=heads)
    await asyncio.wait_for(second.run(), PATIENCE_S)
    assert not standby.opened.is_set()
    said = await second.ready()
    assert "it ends at 1, and 2 had been acknowledged" in said
    assert "lianji restore" in said
    await second.drain()


@pytest.mark.broker
async def test_heads_are_kept_in_a_bucket_of_the_broker(bus: Bus) -> None:
    name = f"HEADS_T{os.getpid()}"
    await provision(bus, Declaration((), "LEASES", (name,)))
    heads = BucketHeads(await open_bucket(bus, name), "journal.v1.0", broker=lambda: bus.broker)
    assert await heads.newest() == Position()
    await heads.save(Position(7, "d7"))
    await heads.save(Position(9, "d9"))
    assert await heads.newest() == Position(9, "d9")
    await heads.mark_read(9, bus.broker)
    assert (await heads.so_far()).up_to == 9
    assert bus.broker
    other = BucketHeads(await open_bucket(bus, name), "journal.v1.0", broker=lambda: "another start")
    assert (await other.so_far()).up_to == 0
