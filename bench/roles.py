"""What every process of a chain does beside its work: says that it is ready, and the client takes orders line by line."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from bench.drive import Ask, Order, drive

READY = "ready"


async def stand() -> None:
    """Says so, and stands until it is killed."""
    print(READY, flush=True)
    await asyncio.Event().wait()


async def take_orders(ask: Ask) -> None:
    """The client's: an Order a line in, a Result a line out, until the input ends."""
    print(READY, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        result = await drive(ask, msgspec.json.decode(line, type=Order))
        print(msgspec.json.encode(result).decode(), flush=True)
