"""What is left of a broker that cannot write: it answers reads and is silent to the rest, until it is started again.

By the limit on the size of its files (RLIMIT_FSIZE): the same is seen when a file system is really full, for which one has to be root.
"""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from lianji.broker import LocalBroker
from runtime import jetstream
from runtime.bus import Bus
from runtime.bus_errors import NoAnswer
from runtime.jetstream import JetStreamLog, open_lease
from runtime.log import AppendUnknown, Group, digest
from runtime.provision import Declaration, LogDeclaration, provision

pytestmark = [pytest.mark.broker, pytest.mark.processes]

ROOM, FULL = resource.RLIM_INFINITY, 0

FIRST = msgspec.json.encode(Group(log="t.t", epoch=1, number=1, prev="", records=[]))
SECOND = msgspec.json.encode(Group(log="t.t", epoch=1, number=2, prev=digest(FIRST), records=[]))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def bus(broker: LocalBroker) -> AsyncIterator[Bus]:
    bus = await Bus.connect(broker.url, f"test-{os.getpid()}", wait_s=10)
    await provision(bus, Declaration((LogDeclaration("T", "t.t"),), "LEASES", (), max_bytes=1 << 26))
    yield bus
    await bus.close()


def limit(broker: LocalBroker, soft: int) -> None:
    assert broker.process is not None
    _, hard = resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (hard if soft == ROOM else soft, hard))


async def test_it_stays_dead_until_it_is_started_again(
    broker: LocalBroker, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "APPEND_TIMEOUT_S", 0.5)
    monkeypatch.setattr(jetstream, "STANDS_STILL_S", 0.5)
    log = JetStreamLog(bus, "T", "t.t")
    holder = await open_lease(bus, "LEASES", "shard.0", "holder")
    standby = await open_lease(bus, "LEASES", "shard.0", "standby")
    assert await holder.take()
    assert not await standby.take()
    assert await log.append(FIRST, expected=0, message_id="1") == 1
    for state in (FULL, ROOM):  # and it is not enough that there is room again
        limit(broker, state)
        with pytest.raises(AppendUnknown):
            await log.append(SECOND, expected=1, message_id="2")
        assert await log.read(1) == FIRST
        assert await log.last_sequence() == 1
        assert not await holder.renew()
        with pytest.raises(NoAnswer, match="nobody renews it, and it does not run out: the broker does not write"):
            await standby.take()
    broker.stop()
    broker.start()
    bus.connected.clear()
    await bus.connected.wait()
    assert await log.append(SECOND, expected=1, message_id="2") == 2
    while not await standby.take():
        pass  # the former lease runs out
    assert await log.read(2) == SECOND
