"""`lianji provision`: streams, buckets and consumers on a broker, for Compose; `lianji up` does it by itself."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from contracts.access import CUSTODIAN, PROVISION
from lianji import checks, options
from lianji.declaration import declaration_for
from lianji.errors import CliError
from lianji.keys.custodian import Custodian
from lianji.keys.directory import MasterKeys, chosen_master_keys
from lianji.keys.fill import fill_standing, fill_terminals
from runtime.bus import Bus, NotDelivered
from runtime.provision import provision as make
from world import built_in


def register(app: typer.Typer) -> None:
    @app.command()
    def provision(
        nats: Annotated[
            str, typer.Option(envvar="LIANJI_NATS_URL", help="URL of the broker.", callback=checks.nats)
        ] = "nats://127.0.0.1:4222",
        keys: options.KeysDir = None,
    ) -> None:
        """Make the streams, buckets and consumers that are not there yet, fill key rings that are missing, and exit."""
        asyncio.run(_provision(nats, chosen_master_keys(keys, os.environ)))


async def _provision(url: str, masters: MasterKeys) -> None:
    declaration = declaration_for(built_in())
    identity = options.broker_at(url).identity(PROVISION)
    try:
        bus = await Bus.connect(url, "lianji-provision", identity=identity, wait_s=60)
    except NotDelivered as error:
        raise CliError(str(error)) from None
    try:
        await make(bus, declaration)
    finally:
        await bus.close()
    async with options.connected(options.broker_at(url), "provision", identity=CUSTODIAN) as bus:
        custodian = await Custodian.open(bus, built_in(), masters)
        made = await fill_standing(custodian, test_world=masters.test_world) + await fill_terminals(custodian)
    print(f"provisioned: {', '.join(row.stream for row in declaration.logs)}; {made} key rings made")
