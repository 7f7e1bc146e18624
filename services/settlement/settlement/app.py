"""All wiring of the settlement service."""

from __future__ import annotations

import asyncio

from contracts import access, subjects
from contracts.journal import record_decoder
from runtime.projection import Follower
from runtime.provision import durable
from runtime.service import Service
from runtime.sql import open_engine, set_aside_if_damaged
from settlement.handlers import Handlers
from settlement.projection import LedgerProjection
from settlement.queries import LedgerReader
from settlement.settings import Settings
from settlement.store import Ledger
from world import built_in


async def wire(service: Service[Settings]) -> None:
    world = built_in()
    url = service.settings.database_url
    await asyncio.to_thread(set_aside_if_damaged, url)
    projection = LedgerProjection(Ledger(open_engine(url, read_only=False)), service.tracer)
    reader = LedgerReader(open_engine(url, read_only=True))

    followers: dict[int, Follower] = {}
    for shard in range(world.shards):
        stream = subjects.journal_stream(shard)
        follower = Follower(
            service.bus,
            stream=stream,
            durable=durable(access.SETTLEMENT, stream),
            partition=str(shard),
            projection=projection,
            decode=record_decoder.decode,
            metrics=service.metrics,
        )
        followers[shard] = follower
        service.health.check(f"follower of {stream}", follower.ready)
        service.spawn(follower.run(), name=f"follower of {stream}")

    handlers = Handlers(reader, world, followers)
    for subject, handler in (
        (subjects.SETTLEMENT_DAY_SUMMARY, handlers.day_summary),
        (subjects.SETTLEMENT_BATCH, handlers.batch),
        (subjects.SETTLEMENT_BREAKS, handlers.breaks),
        (subjects.SETTLEMENT_TRANSACTION, handlers.transaction),
        (subjects.SETTLEMENT_STATUS, handlers.status),
    ):
        serving = await service.bus.serve(subject, handler, queue=access.SETTLEMENT)
        service.on_drain(serving.stop)
