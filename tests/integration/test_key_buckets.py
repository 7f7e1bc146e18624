"""Key rings in the broker's own buckets: compare-and-set, and what has changed since."""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest

from key_store import KeyRing, KeyStore
from runtime.bus import Bus
from runtime.jetstream import Bucket, open_bucket
from runtime.provision import Declaration, provision
from security_module import Purpose, SecurityModule
from tests.support_simulated import BROKERS


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


MODULE = SecurityModule(b"1" * 32)
_numbers = itertools.count(1)


@pytest.fixture
async def bucket(bus: Bus) -> Bucket:
    name = f"KEYS_T{os.getpid()}_{next(_numbers)}"
    await provision(bus, Declaration((), "LEASES", (name,)))
    return await open_bucket(bus, name)


async def test_an_update_needs_the_revision_that_stands(bucket: Bucket) -> None:
    assert await bucket.get_entry("data") is None
    first = await bucket.update("data", b"1", 0)
    assert first is not None
    assert await bucket.update("data", b"2", 0) is None
    second = await bucket.update("data", b"2", first)
    assert second is not None
    assert await bucket.update("data", b"3", first) is None
    assert await bucket.get_entry("data") == (b"2", second)


async def test_changes_are_what_was_put_since(bucket: Bucket) -> None:
    assert await bucket.changes(0) == ([], 0)
    for number in range(3):
        await bucket.put(f"terminal.{number}", b"v1")
    found, read_to = await bucket.changes(0)
    assert found == [(f"terminal.{n}", b"v1", n + 1) for n in range(3)]
    assert await bucket.changes(read_to) == ([], read_to)
    await bucket.put("terminal.1", b"v2")
    await bucket.put("terminal.1", b"v3")
    await bucket.delete("terminal.0")
    found, read_to = await bucket.changes(read_to)
    assert found == [("terminal.1", b"v3", 5)]
    assert read_to == 6


async def test_writers_at_once_lose_nothing_and_readers_see_all(bucket: Bucket) -> None:
    await KeyStore(bucket, "acquirer").create(KeyRing.first("data", MODULE.generate(Purpose.DATA), 1))
    stores = [KeyStore(bucket, "acquirer") for _ in range(3)]
    await asyncio.gather(
        *(s.change("data", lambda ring: ring.accept(MODULE.generate(Purpose.DATA), 2)) for s in stores)
    )
    reader = KeyStore(bucket, "acquirer")
    assert await reader.refresh() == {"data"}
    assert [v.number for v in reader.ring("data").versions] == [1, 2, 3, 4]
