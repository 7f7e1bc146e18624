"""Every record of every journal, a group at a time: nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from contracts import subjects
from contracts.journal import Record, record_decoder
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogDamaged, LogStore, Position, read_groups
from world import World

Progress = Callable[[str], None]

SAID_EVERY = 5_000
"""Groups between two words of progress: a second or so."""


def journals_of(bus: Bus, world: World) -> list[LogStore]:
    """The journal of each shard."""
    return [JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard)) for shard in range(world.shards)]


async def every_record(stores: Sequence[LogStore], progress: Progress) -> AsyncIterator[Record]:
    """Journal by journal, up to where each ended when its turn came; raises LogDamaged and the stores' errors."""
    for store in stores:
        last = await store.last_sequence()
        async for group in read_groups(store, Position(), last):
            for raw in group.group.records:
                yield _decoded(bytes(raw), store.name, group.sequence)
            if group.sequence % SAID_EVERY == 0 or group.sequence == last:
                progress(f"{store.name}: {group.sequence:,} of {last:,} groups")


def _decoded(raw: bytes, name: str, sequence: int) -> Record:
    try:
        return record_decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise LogDamaged(f"{name}: sequence {sequence} holds no record ({type(error).__name__})") from None
