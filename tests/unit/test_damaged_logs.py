"""Which logs a stack's services do not serve, as their /readyz says it, and what is away with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

import world
from lianji import damage, stackfile
from lianji.declaration import expected_subjects
from runtime.health import Health
from runtime.ownership import RESTORE

LOG = "journal.v1.0"


async def test_a_log_is_damaged_when_its_owner_says_how_it_comes_back(tmp_path: Path) -> None:
    health, says = Health(), {LOG: f"{LOG}: it ends at 1; {RESTORE}", "journal.v1.1": "the lease cannot be taken"}
    for name, text in says.items():

        async def check(text: str = text) -> str:
            return text

        health.check(name, check)
    await health.start("127.0.0.1", 0)
    path = stackfile.run_path(tmp_path, "auth-a")
    path.parent.mkdir()
    path.write_bytes(msgspec.json.encode({"pid": 1, "service": "auth", "ports": {"health": health.port}}))
    assert await asyncio.to_thread(damage.found, tmp_path, ("auth-a", "auth-b")) == {LOG: says[LOG]}
    says[LOG] = says["journal.v1.1"] = ""
    await health.stop()
    assert await asyncio.to_thread(damage.found, tmp_path, ("auth-a",)) == {}


def test_what_is_away_with_a_log_is_expected_of_a_whole_stack() -> None:
    everything = world.built_in()
    shard, bank = damage.away_with(LOG, everything), damage.away_with("ledger.v1.huaxing", everything)
    assert shard
    assert bank
    assert not shard & bank
    assert shard | bank < expected_subjects(everything)
    assert damage.away_with("something.else", everything) == set()
