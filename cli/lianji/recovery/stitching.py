"""The longest whole log that a backup and a damaged store give together.

A group belongs behind another when it names that one's digest, wherever it comes from. What the store holds behind the first hole no
chain reaches any more; its groups are given back as what they are, records whose place is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import msgspec

from runtime import streams
from runtime.bus import Bus, BusError
from runtime.log import Group, LogDamaged, Position, decode_group, digest

READERS = 64

Append = Callable[[bytes, Position], Awaitable[None]]
"""Puts a group behind a position."""


class Stitched(msgspec.Struct, kw_only=True):
    """What came of it."""

    position: Position = Position()
    epoch: int = 0
    from_backup: int = 0
    from_store: int = 0
    """Groups of the whole log, by where they were found."""
    lost: int = 0
    """Groups that are in neither: the holes, as far as something stands behind them."""
    behind: list[msgspec.Raw] = []
    """Records that stand behind the first hole, in order."""


async def stitch(kept: Iterable[bytes], found: AsyncIterator[tuple[int, bytes]], append: Append) -> Stitched:
    """Appends the groups of the backup, then those of the store that the chain reaches; raises LogDamaged when the backup's own is broken."""
    whole, digests = Stitched(), [""]
    for payload in kept:
        group = decode_group(payload, f"backup: group {whole.position.sequence + 1}")
        if group.prev != whole.position.digest:
            raise LogDamaged(f"backup: the hash chain is broken at group {whole.position.sequence + 1}")
        await _take(whole, group, payload, append)
        digests.append(whole.position.digest)
        whole.from_backup += 1
    last = whole.position.sequence
    async for sequence, payload in found:
        if sequence < len(digests):
            if digest(payload) != digests[sequence]:
                raise LogDamaged(
                    f"sequence {sequence} of the store is another group than the backup's: they are not of one log"
                )
            continue
        try:
            group = decode_group(payload)
        except LogDamaged:
            continue  # a hole
        whole.lost += sequence - last - 1
        last = sequence
        if not whole.behind and sequence == whole.position.sequence + 1 and group.prev == whole.position.digest:
            await _take(whole, group, payload, append)
            whole.from_store += 1
        else:
            whole.behind += group.records
    return whole


async def _take(whole: Stitched, group: Group, payload: bytes, append: Append) -> None:
    await append(payload, whole.position)
    whole.position = Position(whole.position.sequence + 1, digest(payload))
    whole.epoch = group.epoch


async def readable(bus: Bus, stream: str) -> AsyncIterator[tuple[int, bytes]]:
    """(sequence, payload) of every message of a damaged stream that the broker still gives, in order. None when the stream is gone."""
    try:
        last = (await streams.state_of(bus, stream)).last_seq
    except BusError:
        return
    for first in range(1, last + 1, READERS):
        sequences = range(first, min(first + READERS, last + 1))
        for sequence, payload in zip(
            sequences, await asyncio.gather(*(_at(bus, stream, s) for s in sequences)), strict=True
        ):
            if payload is not None:
                yield sequence, payload


async def _at(bus: Bus, stream: str, sequence: int) -> bytes | None:
    try:
        message = await streams.message_at(bus, stream, sequence)
    except BusError:
        return None  # it stands there and cannot be read: a hole
    return None if message is None else message.data
