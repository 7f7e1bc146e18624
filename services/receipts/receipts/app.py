"""All wiring of the receipts service."""

from __future__ import annotations

import asyncio

from contracts import access, subjects
from contracts.journal import record_decoder
from receipts.domain.filing import Names
from receipts.handlers import Handlers
from receipts.projection import SlipProjection
from receipts.settings import Settings
from receipts.store import SlipReader, SlipStore
from runtime.projection import Follower
from runtime.provision import durable
from runtime.service import Service
from runtime.sql import open_engine, set_aside_if_damaged
from world import World, built_in


def names_of(world: World) -> Names:
    """The names of a world; what has none is shown by its number."""

    def merchant(mid: str) -> str:
        found = world.merchant(mid)
        return found.name if found is not None else mid

    def institution(id: str) -> str:
        found = world.institution(id)
        return found.name if found is not None else id

    return Names(merchant, institution, world.acquirer)


async def wire(service: Service[Settings]) -> None:
    world = built_in()
    url = service.settings.database_url
    await asyncio.to_thread(set_aside_if_damaged, url)
    projection = SlipProjection(SlipStore(open_engine(url, read_only=False)), names_of(world), service.tracer)
    reader = SlipReader(open_engine(url, read_only=True))

    followers: list[Follower] = []
    for shard in range(world.shards):
        stream = subjects.journal_stream(shard)
        follower = Follower(
            service.bus,
            stream=stream,
            durable=durable(access.RECEIPTS, stream),
            partition=str(shard),
            projection=projection,
            decode=record_decoder.decode,
            metrics=service.metrics,
        )
        followers.append(follower)
        service.health.check(f"follower of {stream}", follower.ready)
        service.spawn(follower.run(), name=f"follower of {stream}")

    handlers = Handlers(reader, lambda: "; ".join(f.stopped for f in followers if f.stopped))
    for subject, handler in ((subjects.RECEIPTS_SLIP, handlers.slip), (subjects.RECEIPTS_STATUS, handlers.status)):
        serving = await service.bus.serve(subject, handler, queue=access.RECEIPTS)
        service.on_drain(serving.stop)
