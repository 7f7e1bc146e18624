"""A pull consumer on a broker: what is there comes at once, what is not is waited for, and what was not acknowledged comes again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from runtime.bus import Bus, NotDelivered
from runtime.bus_errors import NoAnswer
from runtime.jetstream import JetStreamLog
from runtime.provision import Declaration, LogDeclaration, durable, provision
from runtime.pull import PullConsumer
from tests.support_simulated import BROKERS


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


_names = itertools.count()


class Line:
    """A stream with a follower's consumer."""

    def __init__(self, bus: Bus, stream: str) -> None:
        self.bus, self.stream = bus, stream
        self.log = JetStreamLog(bus, stream, f"test.{stream}")
        self.consumer = self.another()
        self.written = 0

    def another(self) -> PullConsumer:
        return PullConsumer(self.bus, self.stream, durable("follower", self.stream))

    async def write(self, count: int) -> None:
        for _ in range(count):
            body = b"%d" % (self.written + 1)
            self.written = await self.log.append(body, expected=self.written, message_id=body.decode())


@pytest.fixture
async def line(bus: Bus) -> AsyncIterator[Line]:
    stream = f"PULL_{bus.name.replace('-', '_')}_{next(_names)}"
    row = LogDeclaration(stream, f"test.{stream}", ("follower",))
    await provision(bus, Declaration((row,), "LEASES", (), max_bytes=1 << 26))
    line = Line(bus, stream)
    await line.consumer.open()
    yield line
    await line.consumer.close()


async def test_what_is_there_comes_at_once_and_no_more_than_asked_for(line: Line) -> None:
    await line.write(5)
    first = await line.consumer.fetch(3, 60.0)
    second = await line.consumer.fetch(3, 60.0)
    assert [(m.sequence, m.data) for m in first + second] == [(n, b"%d" % n) for n in range(1, 6)]


async def test_the_next_one_is_waited_for(line: Line) -> None:
    waiting = asyncio.create_task(line.consumer.fetch(100, 60.0))
    while not await consumers_waiting(line):
        await asyncio.sleep(0.01)
    await line.write(1)
    assert [m.sequence for m in await asyncio.wait_for(waiting, 10)] == [1]


async def test_when_nothing_comes_there_is_nothing(line: Line) -> None:
    assert await asyncio.wait_for(line.consumer.fetch(100, 0.05), 10) == []
    await line.write(1)
    assert [m.sequence for m in await line.consumer.fetch(100, 60.0)] == [1]


async def test_an_acknowledgement_is_for_all_before_it(line: Line) -> None:
    await line.write(4)
    messages = await line.consumer.fetch(100, 60.0)
    line.consumer.acknowledge(messages[1:2])
    floor = 0
    async with asyncio.timeout(10):
        while floor == 0:
            info = await line.bus.client.jetstream().consumer_info(line.stream, durable("follower", line.stream))
            floor = info.ack_floor.stream_seq if info.ack_floor else 0
    assert floor == 2


async def test_a_consumer_that_is_not_there_is_an_error(line: Line) -> None:
    await line.bus.client.jetstream().delete_consumer(line.stream, durable("follower", line.stream))
    with pytest.raises((NotDelivered, NoAnswer)):
        await line.consumer.fetch(100, 0.05)


async def consumers_waiting(line: Line) -> int:
    """Requests that the broker holds open for the consumer."""
    info = await line.bus.client.jetstream().consumer_info(line.stream, durable("follower", line.stream))
    return info.num_waiting or 0
