"""Take-over of a log, on the fake and on the real one: one history whatever the owners do, and a stopped owner is fenced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from runtime import ownership, replaying
from runtime.bus_errors import NoAnswer
from runtime.log import AppendUnknown, Fenced, LogDamaged, LogStore, Position, read_groups, unheard
from runtime.memory_log import MemoryLog
from runtime.ownership import Owner, Term, replay
from runtime.snapshots import NoSnapshots, Snapshot, SnapshotDamagedError, pack, unpack

PATIENCE_S = 60
"""For what takes a moment on an idle machine."""


class Counter(msgspec.Struct):
    values: list[int] = []
    epochs: list[str] = []


class CounterMachine:
    """Keeps the numbers that were appended, and the names of the owners."""

    def new_state(self) -> Counter:
        return Counter()

    def apply(self, state: Counter, record: Any) -> None:
        (state.epochs if isinstance(record, str) else state.values).append(record)

    def decode(self, raw: bytes) -> Any:
        return msgspec.json.decode(raw)

    def encode(self, record: Any) -> bytes:
        return msgspec.json.encode(record)

    def epoch_record(self, *, epoch: int, owner: str, at_ms: int) -> str:
        return owner

    def dump(self, state: Counter) -> bytes:
        return msgspec.json.encode(state)

    def load(self, data: bytes) -> Counter:
        return msgspec.json.decode(data, type=Counter)

    def load_in_parts(self, data: bytes) -> Iterator[Counter]:
        yield self.load(data)


class Lock:
    """A lease between owners of one test; `lost` takes it from whoever has it."""

    holder: object | None = None


class Lease:
    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self.lost = False
        self.silent = False
        self.asked, self.not_renewed = asyncio.Event(), asyncio.Event()

    async def take(self) -> bool:
        self.asked.set()
        if self.silent:
            raise NoAnswer("lease: TimeoutError")
        if self._lock.holder is not None or self.lost:
            return False
        self._lock.holder = self
        return True

    async def renew(self) -> bool:
        if self.silent:
            self.not_renewed.set()
            raise NoAnswer("lease: TimeoutError")
        return not self.lost and self._lock.holder is self

    async def release(self) -> None:
        if self._lock.holder is self:
            self._lock.holder = None


class KeptSnapshots:
    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def save(self, snapshot: Snapshot) -> None:
        self.kept.append(pack(snapshot))

    async def newest(self) -> list[Snapshot]:
        found = []
        for data in reversed(self.kept):
            try:
                found.append(unpack(data))
            except SnapshotDamagedError:
                continue
        return found


class Office:
    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.term: Term[Counter] | None = None

    async def open(self, term: Term[Counter]) -> None:
        self.term = term
        self.closed.clear()
        self.opened.set()

    async def close(self) -> None:
        self.opened.clear()
        self.closed.set()


def make(
    store: LogStore, lock: Lock, name: str, snapshots: Any = None, **more: Any
) -> tuple[Owner[Counter], Office, Lease]:
    office, lease = Office(), Lease(lock)
    owner = Owner(
        store=store,
        machine=CounterMachine(),
        office=office,
        lease=lease,
        snapshots=snapshots or NoSnapshots(),
        owner=name,
        **more,
    )
    return owner, office, lease


async def values(store: LogStore) -> list[Any]:
    last = await store.last_sequence()
    return [msgspec.json.decode(r) async for g in read_groups(store, Position(), last) for r in g.group.records]


async def test_a_drained_owner_hands_over_at_once(store: LogStore) -> None:
    lock, snapshots = Lock(), KeptSnapshots()
    first, office, _ = make(store, lock, "first", snapshots)
    second, standby, _ = make(store, lock, "second", snapshots)
    running = [asyncio.create_task(first.run())]
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    running.append(asyncio.create_task(second.run()))
    assert office.term is not None
    await office.term.append([1, 2])
    await first.drain()
    await asyncio.wait_for(standby.opened.wait(), PATIENCE_S)
    assert standby.term is not None
    assert standby.term.state.values == [1, 2]
    assert standby.term.epoch == 2
    assert len(snapshots.kept) == 1
    await standby.term.append([3])
    await second.drain()
    await asyncio.gather(*running)
    assert await values(store) == ["first", 1, 2, "second", 3]


async def test_a_stopped_owner_is_fenced_when_it_wakes(store: LogStore) -> None:
    lock = Lock()
    former, office, lease = make(store, lock, "former")
    task = asyncio.create_task(former.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    asleep = office.term
    assert asleep is not None
    await asleep.append([1])
    lock.holder = None  # its lease has run out; it does not know yet
    successor, new_office, _ = make(store, lock, "successor")
    new_task = asyncio.create_task(successor.run())
    await asyncio.wait_for(new_office.opened.wait(), PATIENCE_S)
    with pytest.raises(Fenced):
        await asleep.append([2])
    await asyncio.wait_for(office.closed.wait(), PATIENCE_S)
    lease.lost = True
    assert new_office.term is not None
    await new_office.term.append([3])
    await former.drain()
    await successor.drain()
    await asyncio.gather(task, new_task)
    assert await values(store) == ["former", 1, "successor", 3]


async def test_a_lost_lease_ends_the_term_before_anybody_is_told(store: LogStore) -> None:
    lock = Lock()
    owner, office, lease = make(store, lock, "owner")
    task = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    term = office.term
    assert term is not None
    lease.lost = True
    await asyncio.wait_for(office.closed.wait(), PATIENCE_S)
    assert term.over
    with pytest.raises(Fenced):
        await term.flushed()
    await owner.drain()
    await task


async def test_a_broker_that_does_not_say_whose_the_lease_is_ends_no_term(store: LogStore) -> None:
    """Nobody else can take it either; what is in hand when the broker is started again must not be thrown away."""
    lock = Lock()
    owner, office, lease = make(store, lock, "owner")
    task = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    term = office.term
    lease.silent = True
    for _ in range(2):
        lease.not_renewed.clear()
        await asyncio.wait_for(lease.not_renewed.wait(), PATIENCE_S)
    assert await owner.ready() == f"{store.name}: lease: TimeoutError", "it does not call itself ready meanwhile"
    lease.silent = False
    assert term is not None
    assert not term.over
    await term.append([1])
    await owner.drain()
    await task
    assert await values(store) == ["owner", 1]


class MuteLog(MemoryLog):
    """Does not say what has become of an append, once it is told not to."""

    mute = False

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        if self.mute:
            raise AppendUnknown("nobody says")
        return await super().append(payload, expected=expected, message_id=message_id, sent=sent)


async def test_a_drain_without_a_broker_ends_and_says_nothing_to_anybody() -> None:
    store, lock = MuteLog(), Lock()
    owner, office, lease = make(store, lock, "owner")
    task = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    assert office.term is not None
    store.mute = lease.silent = True
    in_hand = office.term.append([1])
    await asyncio.wait_for(owner.drain(), PATIENCE_S)
    await task
    with pytest.raises(Fenced):
        await in_hand


async def test_to_stand_by_is_to_be_ready_and_to_get_no_lease_from_anybody_is_not(store: LogStore) -> None:
    lock = Lock()
    lock.holder = another = object()
    owner, office, lease = make(store, lock, "owner")
    task = asyncio.create_task(owner.run())

    async def asked_twice() -> None:
        for _ in range(2):  # the second question comes when what the first was answered has been seen
            lease.asked.clear()
            await asyncio.wait_for(lease.asked.wait(), PATIENCE_S)

    await asked_twice()
    assert await owner.ready() == ""
    lease.silent = True
    await asked_twice()
    assert await owner.ready() == f"{store.name}: the lease cannot be taken: lease: TimeoutError"
    lease.silent = False
    await asked_twice()
    assert await owner.ready() == ""
    assert lock.holder is another
    lock.holder = None
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    await owner.drain()
    await task


async def test_snapshots_change_nothing_but_the_length_of_the_replay(store: LogStore) -> None:
    lock, snapshots = Lock(), KeptSnapshots()
    owner, office, _ = make(store, lock, "owner", snapshots, snapshot_every=5)
    task = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    assert office.term is not None
    for number in range(23):
        await office.term.append([number])
    await owner.drain()
    await task
    assert len(snapshots.kept) >= 4
    machine = CounterMachine()
    whole = await replay(store, machine, NoSnapshots())
    assert whole.state.values == list(range(23))
    newest = await replay(store, machine, snapshots)
    snapshots.kept[-1] = snapshots.kept[-1][:-2] + b"x}"  # damaged: skipped
    older = await replay(store, machine, snapshots)
    assert newest[:3] == older[:3] == whole[:3]
    assert newest.snapshot > older.snapshot > whole.snapshot


async def test_an_owner_that_is_killed_again_and_again_leaves_no_more_to_replay(store: LogStore) -> None:
    lock, snapshots, every, left = Lock(), KeptSnapshots(), 8, []
    for life in range(12):
        owner, office, _ = make(store, lock, f"life {life}", snapshots, snapshot_every=every)
        task = asyncio.create_task(owner.run())
        await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
        assert office.term is not None
        for number in range(3):
            await office.term.append([number])
        await asyncio.sleep(0)  # a snapshot that is due is saved behind its group
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        lock.holder = None
        found = await replay(store, CounterMachine(), snapshots)
        left.append(found.position.sequence - found.snapshot)
    assert max(left) <= every + 3, left


async def test_who_has_a_log_in_hand_lets_another_take_the_next(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And takes it when nobody else does."""
    monkeypatch.setattr(ownership, "STAND_BACK_S", 3600.0)
    lock, busy = Lock(), True
    laden, laden_office, laden_lease = make(store, lock, "laden", elsewhere=lambda: busy)
    free, free_office, _ = make(store, lock, "free")
    running = [asyncio.create_task(laden.run()), asyncio.create_task(free.run())]
    await asyncio.wait_for(free_office.opened.wait(), PATIENCE_S)
    assert free.holds
    assert free.asked.is_set()
    assert not laden.asked.is_set()
    assert not laden_lease.asked.is_set()
    await free.drain()
    assert not free.holds
    await laden.drain()
    busy = False
    alone, alone_office, _ = make(store, lock, "alone", elsewhere=lambda: busy)
    running.append(asyncio.create_task(alone.run()))
    await asyncio.wait_for(alone_office.opened.wait(), PATIENCE_S)
    await alone.drain()
    await asyncio.gather(*running)
    assert not laden_office.opened.is_set()


async def test_how_far_a_replay_is_can_be_asked(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "RECORDS_A_STEP", 1)
    lock, snapshots = Lock(), KeptSnapshots()
    owner, office, _ = make(store, lock, "owner", snapshots)
    task = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    assert office.term is not None
    await office.term.append([1])
    assert await owner.ready() == ""
    await owner.drain()
    await task
    told: list[str] = []
    await replay(store, CounterMachine(), NoSnapshots(), tell=told.append)
    assert told == ["at 1 of 3 groups", "at 2 of 3 groups", "at 3 of 3 groups"], "the last is the health check's"
    told.clear()
    await replay(store, CounterMachine(), snapshots, tell=told.append)
    assert told == ["reading the snapshot at 3, part 1", "looking at the 3 groups before the snapshot"]


async def test_a_damaged_log_is_not_served() -> None:
    store, lock = MemoryLog(), Lock()
    owner, office, _ = make(store, lock, "owner")
    task = asyncio.create_task(owner.run())
    await asyncio.wait_for(office.opened.wait(), PATIENCE_S)
    assert office.term is not None
    for number in range(3):
        await office.term.append([number])
    await owner.drain()
    await task
    store.groups[2] = store.groups[2].replace(b"[1]", b"[7]")
    told: list[LogDamaged] = []

    async def tell(error: LogDamaged) -> None:
        told.append(error)

    second, standby, _ = make(store, lock, "second", on_damage=tell)
    await asyncio.wait_for(second.run(), PATIENCE_S)
    assert not standby.opened.is_set()
    assert "hash chain is broken at sequence 4" in str(told[0])
    assert "hash chain is broken" in await second.ready()
    await second.drain()
