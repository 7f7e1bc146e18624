"""A follower that is waited for, and one whose database is behind what its consumer has brought before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from runtime import projection, streams
from runtime.log import Group, LogDamaged
from runtime.projection import AT_ONCE, FETCH, Follower, ProjectedGroup
from runtime.pull import Delivered

SOON_S = 30.0
"""Longer than anything here takes; a test that waits so long has failed."""


class Tables:
    """What was projected, a list of sequences for each call."""

    def __init__(self) -> None:
        self.lists: list[list[int]] = []

    def checkpoint(self, partition: str) -> int:
        return self.lists[-1][-1] if self.lists else 0

    def apply(self, partition: str, groups: Sequence[ProjectedGroup]) -> None:
        self.lists.append([group.sequence for group in groups])


def follower(tables: Tables) -> Follower:
    bus: Any = None
    return Follower(bus, stream="JOURNAL_0", durable="d", partition="0", projection=tables, decode=msgspec.json.decode)


def group(sequence: int, records: int = 0) -> bytes:
    raws = [msgspec.Raw(b"1")] * records
    return msgspec.json.encode(Group(log="journal.v1.0", epoch=1, number=sequence, prev="", records=raws))


def delivered(*sequences: int, records: int = 0) -> list[Delivered]:
    return [Delivered(sequence, group(sequence, records), "") for sequence in sequences]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Sequences that the stream has lost."""
    lost: set[int] = set()

    async def messages(_: object, __: str, first: int, last: int) -> AsyncIterator[streams.StoredMessage]:
        for sequence in range(first, last + 1):
            if sequence not in lost:
                yield streams.StoredMessage(subject="journal.v1.0", seq=sequence, data=group(sequence))

    monkeypatch.setattr(projection.streams, "messages", messages)
    return lost


async def test_who_waits_is_told_when_it_is_there() -> None:
    following = follower(Tables())
    waiting = asyncio.create_task(following.reached(2, SOON_S))
    await asyncio.sleep(0)
    await following._project(delivered(1))
    assert not waiting.done()
    await following._project(delivered(2))
    assert await waiting
    assert await following.reached(2, 0.0)


async def test_nobody_is_told_of_what_has_not_come() -> None:
    following = follower(Tables())
    assert not await following.reached(1, 0.01)
    assert following._waiting == []


async def test_who_waits_is_told_that_it_will_not_come() -> None:
    following = follower(Tables())
    waiting = asyncio.create_task(following.reached(2, SOON_S))
    await asyncio.sleep(0)
    following.stopped = "a poison group"
    following._tell()
    assert not await waiting
    assert not await following.reached(2, SOON_S)


async def test_nothing_gathers_while_somebody_waits() -> None:
    following = follower(Tables())
    gathering = asyncio.create_task(following._gather(SOON_S))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(following.reached(1, SOON_S))
    await asyncio.wait_for(gathering, SOON_S / 2)
    await following._project(delivered(1))
    assert await waiting
    still = asyncio.create_task(following._gather(SOON_S))
    await asyncio.sleep(0.01)
    assert not still.done()
    still.cancel()


async def test_what_has_gathered_is_projected_a_piece_at_a_time() -> None:
    """The longest stall there has been would else set the memory of the process for good."""
    tables = Tables()
    await follower(tables)._project(delivered(*range(1, 8), records=AT_ONCE // 3 + 1))
    assert tables.lists == [[1, 2, 3], [4, 5, 6], [7]]


async def test_what_was_brought_to_another_database_is_read_again_a_list_at_a_time(stream: set[int]) -> None:
    tables = Tables()
    following = follower(tables)
    await following._project(delivered(FETCH + 5, FETCH + 6))
    assert [(row[0], row[-1], len(row)) for row in tables.lists] == [
        (1, FETCH, FETCH),
        (FETCH + 1, FETCH + 4, 4),
        (FETCH + 5, FETCH + 6, 2),
    ]
    assert following.checkpoint == FETCH + 6


@pytest.mark.parametrize("missing", [1, 3, 5])
async def test_what_the_stream_has_lost_is_not_skipped(stream: set[int], missing: int) -> None:
    stream.add(missing)
    tables = Tables()
    with pytest.raises(LogDamaged, match=f"sequence {missing} is missing"):
        await follower(tables)._project(delivered(6))
    assert [sequence for row in tables.lists for sequence in row] == list(range(1, missing))[: 4 if missing == 5 else 0]
