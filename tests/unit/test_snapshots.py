"""Snapshots in a bucket: two places, overwritten by turns; what is damaged or half written is skipped."""

from __future__ import annotations

import pytest

from runtime.bus_errors import NoAnswer
from runtime.log import Position
from runtime.snapshots import KEPT, PIECE_BYTES, BucketSnapshots, Kept, Snapshot

LOG = "journal.v1.0"


class Dictionary:
    """A bucket in memory. `fails_after` puts it does not answer any more."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.fails_after: int | None = None

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        if self.fails_after == 0:
            raise NoAnswer("bucket: TimeoutError")
        if self.fails_after is not None:
            self.fails_after -= 1
        self.values[key] = value


def snapshot(sequence: int, size: int = 10) -> Snapshot:
    return Snapshot(Position(sequence, f"digest {sequence}"), bytes([sequence % 256]) * size)


async def sequences(bucket: Dictionary) -> list[int]:
    return [found.position.sequence for found in await BucketSnapshots(bucket, LOG).newest()]


async def test_none_at_first() -> None:
    assert await sequences(Dictionary()) == []


async def test_the_newest_two_are_kept_and_nothing_is_deleted() -> None:
    bucket = Dictionary()
    kept = BucketSnapshots(bucket, LOG)
    for sequence in (10, 20, 30, 40):
        await kept.save(snapshot(sequence))
    assert await kept.newest() == [snapshot(40), snapshot(30)]
    assert len(bucket.values) == KEPT * 2, "a head and a piece for each place"


async def test_pieces_are_put_together_again_also_after_a_longer_one_stood_there() -> None:
    bucket = Dictionary()
    kept = BucketSnapshots(bucket, LOG)
    sizes = {1: 3 * PIECE_BYTES, 2: 0, 3: PIECE_BYTES - 1, 4: PIECE_BYTES + 1}
    for sequence, size in sizes.items():
        await kept.save(snapshot(sequence, size))
    assert await kept.newest() == [snapshot(4, sizes[4]), snapshot(3, sizes[3])]
    assert max(len(piece) for piece in bucket.values.values()) <= PIECE_BYTES


async def test_logs_do_not_touch_one_another() -> None:
    bucket = Dictionary()
    await BucketSnapshots(bucket, LOG).save(snapshot(1))
    await BucketSnapshots(bucket, "journal.v1.1").save(snapshot(2))
    assert await sequences(bucket) == [1]


@pytest.mark.parametrize("puts", range(5))
async def test_one_that_is_half_written_is_skipped(puts: int) -> None:
    """A snapshot of 4 pieces and a head, of which so many puts arrive."""
    bucket = Dictionary()
    kept = BucketSnapshots(bucket, LOG)
    for sequence in (10, 20):
        await kept.save(snapshot(sequence, 3 * PIECE_BYTES))
    bucket.fails_after = puts
    await kept.save(snapshot(30, 3 * PIECE_BYTES))
    assert await sequences(bucket) == ([20, 10] if puts == 0 else [20])
    bucket.fails_after = None
    await kept.save(snapshot(40))
    assert await sequences(bucket) == [40, 20]


@pytest.mark.parametrize("key", [f"{LOG}.1.0", f"{LOG}.1.1", f"{LOG}.1.head"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"nonsense"])
async def test_a_damaged_one_is_skipped(key: str, damage: bytes) -> None:
    bucket = Dictionary()
    kept = BucketSnapshots(bucket, LOG)
    for sequence in (10, 20):
        await kept.save(snapshot(sequence, PIECE_BYTES))
    assert bucket.values[key] != damage
    bucket.values[key] = damage
    assert await sequences(bucket) == [10]


async def test_what_is_kept_can_be_told_without_its_state() -> None:
    bucket = Dictionary()
    kept = BucketSnapshots(bucket, LOG)
    assert await kept.kept() == []
    await kept.save(snapshot(1, 3 * PIECE_BYTES))
    await kept.save(snapshot(2))
    assert await kept.kept() == [
        Kept(Position(2, "digest 2"), PIECE_BYTES),
        Kept(Position(1, "digest 1"), 4 * PIECE_BYTES),
    ]
    bucket.fails_after = 1  # of the next one the first piece is written, and nothing behind it
    await kept.save(snapshot(3, 2 * PIECE_BYTES))
    assert [one.position.sequence for one in await kept.kept()] == [2]
