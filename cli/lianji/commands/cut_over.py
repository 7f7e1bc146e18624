"""`lianji cut-over`: a business day is ended on every shard."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import msgspec
import typer

import world
from contracts import subjects
from contracts.access import OPERATIONS
from contracts.authorization import CutOverReply, CutOverRequest
from contracts.reading import reader
from lianji import options
from lianji.errors import CliError
from lianji.zone import SHANGHAI
from runtime.bus import Bus, BusError

WINDOW_S = 30.0
"""A shard waits for what is open: a bank's time (10 s), the ledger's before it (4 s), and what its journal takes."""
REFUSED = 3
_reply = reader(CutOverReply)


def register(app: typer.Typer) -> None:
    @app.command(name="cut-over")
    def cut_over(
        day: Annotated[
            str, typer.Option(help="YYYY-MM-DD, the day that ends; today in Asia/Shanghai when left out.")
        ] = "",
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """End a business day: what stands in the journals is of it, what comes is of the next. Exits 3 when a shard refuses, 1 when one does not answer."""
        broker = options.broker(data_dir, nats)
        replies = options.run(_order(broker, day or datetime.now(SHANGHAI).strftime("%Y-%m-%d")))
        if json:
            print(msgspec.json.encode({"shards": replies}).decode())
        else:
            for shard, reply in enumerate(replies):
                print(f"shard {shard}: {'REFUSED, ' + reply.refused if reply.refused else 'ended ' + reply.day}")
        if any(reply.refused for reply in replies):
            raise typer.Exit(REFUSED)


async def _order(broker: options.Broker, day: str) -> list[CutOverReply]:
    async with options.connected(broker, "cut-over", identity=OPERATIONS) as bus:
        shards = range(world.built_in().shards)
        return await asyncio.gather(*(_of_shard(bus, shard, CutOverRequest(day=day)) for shard in shards))


async def _of_shard(bus: Bus, shard: int, order: CutOverRequest) -> CutOverReply:
    body = msgspec.json.encode(order)
    try:
        return _reply(await bus.request(subjects.auth(shard, "cut-over"), body, timeout_s=WINDOW_S))
    except BusError as error:
        raise CliError(f"shard {shard} does not answer: {error}; order the same day again") from None
