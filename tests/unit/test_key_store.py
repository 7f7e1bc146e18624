"""A party's key store over a bucket: what is read when, and two writers on one ring."""

from __future__ import annotations

import pytest

from contracts.codec import decoder, encode
from contracts.key_holding import HeldAnswer, HeldQuestion, HeldRing
from key_store import ContendedError, KeyRing, KeyStore, MissingRingError, RingError, WrongMasterError, holding
from security_module import Purpose, SecurityModule
from tests.support_keys import MemoryBucket

MODULE = SecurityModule(b"1" * 32)


def new_ring(name: str = "data") -> KeyRing:
    return KeyRing.first(name, MODULE.generate(Purpose.DATA), 1)


def grown(ring: KeyRing) -> KeyRing:
    return ring.accept(MODULE.generate(Purpose.DATA), 2)


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


async def test_what_is_in_memory_asks_nobody(bucket: MemoryBucket) -> None:
    writer, reader = KeyStore(bucket, "acquirer"), KeyStore(bucket, "acquirer")
    ring = new_ring()
    assert await writer.create(ring)
    assert reader.known("data") is None
    with pytest.raises(MissingRingError, match="acquirer: key ring data is missing"):
        reader.ring("data")
    assert await reader.refresh() == {"data"}
    asked = bucket.asked
    assert reader.ring("data") == await reader.get("data") == ring
    assert bucket.asked == asked


async def test_a_refresh_reads_what_has_changed_since_the_last_one(bucket: MemoryBucket) -> None:
    writer, reader = KeyStore(bucket, "acquirer"), KeyStore(bucket, "acquirer")
    for name in ("a", "b", "c"):
        await writer.create(new_ring(name))
    assert await reader.refresh() == {"a", "b", "c"}
    assert await reader.refresh() == frozenset()
    after = await writer.change("b", grown)
    assert reader.ring("b") != after
    assert await reader.refresh() == {"b"}
    assert reader.ring("b") == after
    promoted = await writer.change("b", lambda ring: ring.promote(2, 3))
    assert writer.current("b") == promoted.current
    assert reader.current("b") == after.current != promoted.current
    await reader.refresh()
    assert reader.current("b") == promoted.current
    assert [ring.name for ring in reader] == ["a", "b", "c"]


async def test_one_ring_is_read_again_on_a_miss(bucket: MemoryBucket) -> None:
    writer, reader = KeyStore(bucket, "acquirer"), KeyStore(bucket, "acquirer")
    await writer.create(new_ring())
    await reader.refresh()
    after = await writer.change("data", grown)
    assert await reader.reread("data") == after == reader.ring("data")
    assert await reader.reread("none") is None
    del bucket.values["data"]
    assert await reader.reread("data") is None
    with pytest.raises(MissingRingError):
        reader.current("data")


async def test_a_ring_is_created_once(bucket: MemoryBucket) -> None:
    first, second = new_ring(), new_ring()
    assert await KeyStore(bucket, "acquirer").create(first)
    late = KeyStore(bucket, "acquirer")
    assert not await late.create(second)
    assert await late.get("data") == first


async def test_two_writers_lose_nothing(bucket: MemoryBucket) -> None:
    one, two = KeyStore(bucket, "acquirer"), KeyStore(bucket, "acquirer")
    await one.create(new_ring())
    await two.refresh()
    await one.change("data", grown)  # two's memory is behind now
    assert len((await two.change("data", grown)).versions) == 3
    assert len((await one.change("data", lambda ring: ring.promote(3, 3))).versions) == 3


async def test_a_writer_that_others_overtake_each_time_gives_up(bucket: MemoryBucket) -> None:
    store = KeyStore(bucket, "acquirer")
    await store.create(new_ring())

    def overtaken(ring: KeyRing) -> KeyRing:
        value, _ = bucket.values["data"]
        bucket.revision += 1
        bucket.values["data"] = value, bucket.revision
        return grown(ring)

    with pytest.raises(ContendedError, match="key ring data was changed by others"):
        await store.change("data", overtaken)


async def test_a_change_that_changes_nothing_or_is_refused_writes_nothing(bucket: MemoryBucket) -> None:
    store = KeyStore(bucket, "acquirer")
    await store.create(new_ring())
    revision = bucket.revision
    await store.change("data", lambda ring: ring.promote(1, 9))
    with pytest.raises(RingError):
        await store.change("data", lambda ring: ring.retire(1, 9))
    with pytest.raises(MissingRingError):
        await store.change("none", lambda ring: ring)
    assert bucket.revision == revision


async def test_an_answer_that_was_overtaken_does_not_bring_an_older_ring_back(bucket: MemoryBucket) -> None:
    store = KeyStore(bucket, "acquirer")
    await store.create(new_ring())
    late = bucket.values["data"]
    after = await store.change("data", grown)
    bucket.values["data"] = late
    assert await store.reread("data") == after


async def test_another_master_key_is_noticed_and_a_foreign_or_damaged_ring_refused(bucket: MemoryBucket) -> None:
    store = KeyStore(bucket, "issuer huaxing")
    await store.create(new_ring())
    store.verify(MODULE)
    with pytest.raises(WrongMasterError, match="issuer huaxing: key ring data version 1 does not open"):
        store.verify(SecurityModule(b"2" * 32))
    value, revision = bucket.values["data"]
    bucket.values["zone"] = value, revision + 1
    with pytest.raises(RingError, match="it is the ring data"):
        await store.reread("zone")
    bucket.values["data"] = b"{}", revision + 2
    with pytest.raises(RingError, match="issuer huaxing: key ring data cannot be read"):
        await store.reread("data")


async def test_a_damaged_ring_costs_no_other_its_refresh(bucket: MemoryBucket) -> None:
    writer, reader = KeyStore(bucket, "acquirer"), KeyStore(bucket, "acquirer")
    for name in ("a", "b", "c"):
        await writer.create(new_ring(name))
    bucket.values["b"] = b"{}", bucket.values["b"][1]
    assert await reader.refresh() == {"a", "c"}
    assert len(reader.troubles) == 1
    assert "key ring b cannot be read" in reader.troubles[0]
    await reader.refresh()
    assert reader.troubles == ()


async def test_a_start_needs_every_required_ring(bucket: MemoryBucket) -> None:
    await KeyStore(bucket, "acquirer").create(new_ring())
    await KeyStore(bucket, "acquirer").load(MODULE, ["data"])
    with pytest.raises(
        MissingRingError, match=r"key ring zone\.huaxing is missing; `lianji provision` fills the rings"
    ):
        await KeyStore(bucket, "acquirer").load(MODULE, ["data", "zone.huaxing"])
    with pytest.raises(WrongMasterError):
        await KeyStore(bucket, "acquirer").load(SecurityModule(b"2" * 32), ["data"])
    bucket.values["data"] = b"{}", 1
    with pytest.raises(RingError, match="cannot be read"):
        await KeyStore(bucket, "acquirer").load(MODULE, [])


async def test_a_holder_says_which_versions_it_has_of_the_rings_asked_for(bucket: MemoryBucket) -> None:
    store = KeyStore(bucket, "acquirer")
    for name in ("data", "other"):
        await store.create(new_ring(name))
    await store.change("data", grown)
    await store.change("data", lambda ring: ring.promote(2, 3))
    question = encode(HeldQuestion(rings=("data", "none")))
    answer = decoder(HeldAnswer).decode(holding(question, [store], "gw-1"))
    assert answer == HeldAnswer(
        instance="gw-1", held=(HeldRing(party="acquirer", name="data", current=2, usable=(2, 1)),)
    )
