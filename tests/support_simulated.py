"""The simulation's broker on a real port, so that what is tested on a broker can be tested on it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simulation.broker.server import Broker
from simulation.broker.streams import Store

BROKERS = [pytest.param("broker", marks=pytest.mark.broker), "simulated_broker"]
"""Names of session fixtures that give a broker's URL: for what has to hold on both."""


@contextmanager
def simulated() -> Iterator[str]:
    """Its URL; it runs in a thread of its own."""
    started = threading.Event()
    port: list[int] = []
    ended: list[asyncio.Event] = []

    async def serve() -> None:
        loop, broker = asyncio.get_running_loop(), Broker(Store(), random.Random(1))  # noqa: S311 - to be repeated
        server = await loop.create_server(broker.client, "127.0.0.1", 0)
        port.append(server.sockets[0].getsockname()[1])
        ended.append(asyncio.Event())
        started.set()
        await ended[0].wait()
        server.close()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield f"nats://127.0.0.1:{port[0]}"
    finally:
        loop.call_soon_threadsafe(ended[0].set)
        thread.join(10)
        loop.close()
