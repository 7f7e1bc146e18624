"""Whether all of a log is still there, asked before anything is said on the strength of it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from runtime.bus_errors import BusError
from runtime.heads import Heads
from runtime.log import (
    NOTED_EVERY,
    AppendUnknown,
    LogDamaged,
    LogStore,
    Position,
    digest,
    position_at,
    read_groups,
    standing,
)


async def checked_end(store: LogStore, heads: Heads) -> int:
    """Where the log ends, which reaches as far as it has been acknowledged; raises LogDamaged, AppendUnknown.

    Its head is asked for first: a former owner that does not know yet that it is one goes on appending, and noting what was acknowledged.
    """
    try:
        head = await heads.newest()
    except BusError as error:
        raise AppendUnknown(f"{store.name}: its head cannot be read: {error}") from None
    last = await store.last_sequence()
    if not head.sequence:
        return last
    if head.sequence > last:
        raise LogDamaged(f"{store.name}: it ends at {last}, and {head.sequence} had been acknowledged")
    await standing(store, head, "what had been acknowledged")
    return last


class Unread(NamedTuple):
    """What has not been read from the broker that runs, of a log that was in service when the one before died."""

    after: int
    """Behind this sequence."""
    gone_on_from: str
    """The broker at which all of it was whole."""


async def check_front(store: LogStore, heads: Heads, position: Position, broker: str) -> Unread | None:
    """What stands up to `position`, which is the snapshot's, so that no replay looks at it, as `broker` gives it; raises LogDamaged,
    AppendUnknown. Returns what is left to be read, beside the work; None when all has been read.

    Once after each start of the broker: a store that is damaged while it stands still is found when it is read, and a broker that has
    read or written a record well goes on giving it. Before anything is said, where all is started anew. Where the log was in service when its
    broker died, its owner has gone on or this process stood by, and what the snapshot and the tail give is as whole as their memory: then
    nobody waits for it, however long the log has become (docs/adr/0025).
    """
    try:
        read, gone_on_from = await heads.so_far()
    except BusError as error:
        raise AppendUnknown(f"{store.name}: up to where it has been read cannot be told: {error}") from None
    if read >= position.sequence:
        return None
    if gone_on_from:
        return Unread(read, gone_on_from)
    start, reached = await position_at(store, read), ""
    async for group in read_groups(store, start, position.sequence):
        reached = digest(group.payload)
        if group.sequence % 256 == 0:
            await asyncio.sleep(0)  # the lease's renewal has its turn
        if group.sequence % NOTED_EVERY == 0:
            await heads.mark_read(group.sequence, broker)
    if reached != position.digest:
        raise LogDamaged(
            f"{store.name}: what stands before sequence {position.sequence} is not what a snapshot was made of"
        )
    return None
