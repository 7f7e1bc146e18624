"""The world before its first day: streams, buckets and key rings as provisioning and the custodian make them. Made once a process."""

from __future__ import annotations

import asyncio
import functools
import random
import tempfile
from pathlib import Path

import world
from contracts.access import CUSTODIAN, PROVISION
from lianji.declaration import declaration_for
from lianji.keys import fill
from lianji.keys.custodian import Custodian
from lianji.keys.directory import master_keys
from runtime.bus import Bus
from runtime.identity import Identity
from runtime.provision import provision
from simulation import cast
from simulation.broker.streams import Store
from simulation.chance import virtual
from simulation.loop import Loop
from simulation.recorder import Recorder
from simulation.stage import Stage

URL = f"nats://127.0.0.1:{cast.BROKER_PORT}"


@functools.cache
def first_store() -> Store:
    """What the broker holds before anything has happened; to be copied."""
    store, loop = Store(), Loop()
    recorder = Recorder(loop, keeps=False)
    with virtual(loop, 0), recorder.listening():
        stage = Stage(loop, store, random.Random(0), Path(tempfile.gettempdir()), recorder)
        stage.start(cast.BROKER)
        loop.run(_fill())
        loop.abandon()
    return store


async def _fill() -> None:
    everything = world.built_in()
    bus = await Bus.connect(URL, "provision", identity=Identity(PROVISION))
    await provision(bus, declaration_for(everything))
    await bus.close()
    bus = await Bus.connect(URL, "custodian", identity=Identity(CUSTODIAN))
    custodian = await Custodian.open(bus, everything, master_keys(None))
    await fill.fill_standing(custodian, test_world=True)
    tids = (*cast.TERMINALS, *cast.TRANSFER_TERMINALS)
    rings = {name: maker for name, maker in fill.terminals(everything) if name.rpartition(".")[2] in tids}
    await fill.create(custodian.acquirer, rings)
    await bus.close()
    await asyncio.sleep(0)
