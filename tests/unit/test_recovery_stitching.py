"""Backup and damaged store together: the longest whole log, and what stands behind the damage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from lianji.recovery.stitching import Stitched, stitch
from runtime.log import GroupLog, LogDamaged, Position, decode_group
from runtime.memory_log import MemoryLog


async def log_of(groups: int) -> list[bytes]:
    store = MemoryLog()
    log = GroupLog(store, 3, Position(), now_ns=lambda: 0)
    for number in range(1, groups + 1):
        await log.append([b"%d" % number])
    return store.groups


async def found(groups: Sequence[bytes], *missing: int) -> AsyncIterator[tuple[int, bytes]]:
    for sequence, payload in enumerate(groups, 1):
        if sequence not in missing:
            yield sequence, payload


async def stitched(kept: Sequence[bytes], store: AsyncIterator[tuple[int, bytes]]) -> tuple[Stitched, list[bytes]]:
    into = MemoryLog()

    async def append(payload: bytes, behind: Position) -> None:
        await into.append(payload, expected=behind.sequence, message_id="")

    return await stitch(kept, store, append), into.groups


def numbers(records: Sequence[msgspec.Raw]) -> list[int]:
    return [msgspec.json.decode(raw) for raw in records]


async def test_the_store_goes_on_where_the_backup_ends() -> None:
    log = await log_of(9)
    whole, groups = await stitched(log[:4], found(log))
    assert groups == log
    assert (whole.from_backup, whole.from_store, whole.lost, whole.behind, whole.epoch) == (4, 5, 0, [], 3)


async def test_a_hole_that_the_backup_covers_is_no_hole() -> None:
    log = await log_of(9)
    whole, groups = await stitched(log[:6], found(log, 2, 5))
    assert groups == log
    assert not whole.lost
    assert not whole.behind


async def test_what_stands_behind_a_hole_is_given_back_as_records() -> None:
    log = await log_of(9)
    whole, groups = await stitched(log[:3], found(log, 5, 6, 8))
    assert groups == log[:4]
    assert numbers(whole.behind) == [7, 9]
    assert whole.lost == 3


async def test_a_group_that_names_another_before_it_is_not_appended() -> None:
    log = await log_of(6)
    strange = msgspec.structs.replace(decode_group(log[3]), prev="0" * 64)
    whole, groups = await stitched(log[:2], found([*log[:3], msgspec.json.encode(strange), *log[4:]]))
    assert groups == log[:3]
    assert numbers(whole.behind) == [4, 5, 6]


async def test_a_store_that_is_not_of_the_backups_log_is_refused() -> None:
    log, mine = await log_of(4), MemoryLog()
    other = GroupLog(mine, 1, Position(), now_ns=lambda: 0)
    await other.append([b"7"])
    with pytest.raises(LogDamaged, match="not of one log"):
        await stitched(log, found(mine.groups))


async def test_a_backup_whose_own_chain_is_broken_is_refused() -> None:
    log = await log_of(4)
    with pytest.raises(LogDamaged, match="broken at group 3"):
        await stitched([log[0], log[1], log[3]], found([]))


async def test_without_a_store_the_backup_is_all_there_is() -> None:
    log = await log_of(4)
    whole, groups = await stitched(log, found([]))
    assert groups == log
    assert whole.position.sequence == 4
