"""A custodian over buckets in memory: both parties' modules and rings, filled or not."""

from __future__ import annotations

from typing import Any, cast

import world
from key_store import KeyStore
from lianji.keys.custodian import ACQUIRER, Custodian, Party
from lianji.keys.fill import fill_standing
from runtime.bus import Bus
from security_module import SecurityModule
from tests.support_keys import MemoryBucket, at_once

BANK = "huaxing"


def custodian_over(
    buckets: dict[str, MemoryBucket], bus: Bus | None = None, *, acquirer: bytes = b"a" * 32, issuer: bytes = b"i" * 32
) -> Custodian:
    """A custodian who reads what the buckets (by party) have; those that are not there are made. Without a bus he cannot tell or ask anybody."""
    everything, bank = world.built_in(), SecurityModule(issuer)
    modules = {ACQUIRER: SecurityModule(acquirer), **{i.id: bank for i in everything.institutions}}
    parties = {}
    for party, module in modules.items():
        store = KeyStore(buckets.setdefault(party, MemoryBucket()), party)
        at_once(store.refresh())
        parties[party] = Party(module, store)
    return Custodian(cast(Any, bus), everything, parties)


async def filled(bus: Bus | None = None, *, test_world: bool = True) -> tuple[Custodian, dict[str, MemoryBucket]]:
    """A custodian of a new stack (without its terminals), and the buckets."""
    buckets: dict[str, MemoryBucket] = {}
    custodian = custodian_over(buckets, bus)
    await fill_standing(custodian, test_world=test_world)
    return custodian, buckets
