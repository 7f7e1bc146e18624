"""A log read into a state: the newest snapshot that is whole, then the groups behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from runtime import logs
from runtime.heads import Heads, NoHeads
from runtime.intact import Unread, check_front, checked_end
from runtime.log import LogDamaged, LogStore, Position, decode_group, digest, read_groups, standing
from runtime.snapshots import Snapshot, Snapshots

log = logs.get("ownership")

S = TypeVar("S")

RECORDS_A_STEP = 2000
"""Applied at a time by a replay: some ten milliseconds."""


def _nobody(_: str) -> None:
    """Hears how far a replay is."""


class Machine(Protocol[S]):
    """A state machine over one log: pure, and the same on every machine that replays the same records."""

    def new_state(self) -> S: ...

    def apply(self, state: S, record: Any) -> None:
        """Moves `state` by one record of the log."""

    def decode(self, raw: bytes) -> Any: ...

    def encode(self, record: Any) -> bytes: ...

    def epoch_record(self, *, epoch: int, owner: str, at_ms: int) -> Any: ...

    def dump(self, state: S) -> bytes: ...

    def load(self, data: bytes) -> S:
        """The state that was dumped; raises msgspec.MsgspecError."""

    def load_in_parts(self, data: bytes) -> Iterator[S]:
        """The state that was dumped, growing; the last is the whole. Each step takes a few milliseconds; raises msgspec.MsgspecError."""


class Replayed(NamedTuple, Generic[S]):
    """A log as far as it goes."""

    state: S
    position: Position
    epoch: int
    """The last one; 0: nobody has owned it yet."""
    snapshot: int
    """The sequence of the snapshot that it was read from; 0: from its beginning."""
    broker: str
    """From which it was read: the one that ran when the reading began."""
    unread: Unread | None
    """What has not been read from that broker, and is to be, beside the work; None: all has."""


async def replay(
    store: LogStore,
    machine: Machine[S],
    snapshots: Snapshots,
    heads: Heads | None = None,
    *,
    tell: Callable[[str], None] = _nobody,
) -> Replayed[S]:
    """A log read to its end and found whole; raises LogDamaged, AppendUnknown. `tell` hears how far it is.

    In steps, with room between them for the renewal of the lease and for whoever asks how it goes.
    """
    heads = heads or NoHeads()
    broker = heads.broker  # now: of what is read from one that is started meanwhile a part stands unread
    found = await snapshots.newest()  # ahead of the log's end, for whoever owned it may be at work yet
    last = await checked_end(store, heads)
    state, position = machine.new_state(), Position()
    for snapshot in found:
        if snapshot.position.sequence > last:
            # A snapshot is written after its sequence was acknowledged: what it stands on must be there.
            raise LogDamaged(f"{store.name}: it ends at {last}, and a snapshot stands at {snapshot.position.sequence}")
        try:
            state, position = await _loaded(machine, snapshot, tell), snapshot.position
            break
        except msgspec.MsgspecError as error:
            log.warning("snapshot skipped", log=store.name, reason=type(error).__name__)
            state = machine.new_state()
    epoch, applied, snapshot_at = 0, 0, position.sequence
    unread: Unread | None = None
    if position.sequence:
        epoch = decode_group(await standing(store, position, "what a snapshot was made of")).epoch
        tell(f"looking at the {position.sequence:,} groups before the snapshot")
        unread = await check_front(store, heads, position, broker)
    async for group in read_groups(store, position, last):
        for raw in group.group.records:
            machine.apply(state, machine.decode(bytes(raw)))
        applied += len(group.group.records) + 1
        epoch = group.group.epoch
        # The digest of the payload just read is the next group's prev; read_groups has checked the chain up to here.
        position = Position(group.sequence, digest(group.payload))
        if applied >= RECORDS_A_STEP:
            applied = 0
            tell(f"at {group.sequence:,} of {last:,} groups")
            await asyncio.sleep(0)
    if unread is None:
        await heads.mark_read(position.sequence, broker)
    return Replayed(state, position, epoch, snapshot_at, broker, unread)


async def _loaded(machine: Machine[S], snapshot: Snapshot, tell: Callable[[str], None]) -> S:
    """The state of a snapshot; raises msgspec.MsgspecError."""
    state = machine.new_state()
    for number, grown in enumerate(machine.load_in_parts(snapshot.state), 1):
        state = grown
        tell(f"reading the snapshot at {snapshot.position.sequence:,}, part {number:,}")
        await asyncio.sleep(0)
    return state
