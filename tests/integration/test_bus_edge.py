"""The bus at its edge, on a real broker: whatever a caller sends is answered, and whatever a handler raises stays inside."""

from __future__ import annotations

import asyncio

import pytest
import structlog

import world
from runtime.bus import Bus, NoAnswer, Request
from runtime.client import header_block
from runtime.serving import DEADLINE, ERROR
from tests.support_simulated import BROKERS


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


CARD = world.built_in().cards[0]
PAN = CARD.pan.clear()


async def echo(request: Request) -> bytes:
    return request.body


@pytest.mark.parametrize("deadline", ["", "soon", "²", "-1", "1.5", "9" * 5000, "9" * 13, PAN])
async def test_a_deadline_that_is_none_is_none(bus: Bus, deadline: str) -> None:
    serving = await bus.serve("edge.echo", echo)
    answer = await bus.exchange("edge.echo", b"hello", header_block({DEADLINE: deadline}) if deadline else b"", 10)
    assert answer.data == b"hello"
    await serving.stop()


@pytest.mark.parametrize("traceparent", ["", "00", "00-" + "g" * 32 + "-" + "b" * 16 + "-01", PAN, "00-" + "9" * 5000])
async def test_a_trace_context_that_is_none_is_none(bus: Bus, traceparent: str) -> None:
    serving = await bus.serve("edge.trace", echo)
    assert (await bus.exchange("edge.trace", b"hello", header_block({"traceparent": traceparent}), 10)).data == b"hello"
    await serving.stop()


@pytest.mark.parametrize(
    "error", [ValueError(PAN), KeyError(CARD.pan), NoAnswer(PAN), ExceptionGroup(PAN, [ValueError(PAN)])]
)
async def test_a_caller_learns_the_type_of_an_error_and_no_more(bus: Bus, error: Exception) -> None:
    async def broken(request: Request) -> bytes:
        raise error

    with structlog.testing.capture_logs() as lines:
        serving = await bus.serve("edge.broken", broken)
        answer = await bus.exchange("edge.broken", PAN.encode(), b"", 10)
        assert answer == (b"", header_block({ERROR: type(error).__name__}))
        with pytest.raises(NoAnswer) as caught:
            await bus.request("edge.broken", PAN.encode(), timeout_s=10)
        await serving.stop()
    assert PAN not in str(caught.value)
    assert [row["error"] for row in lines] == [type(error).__name__] * 2
    assert serving.errors == 2
    stats = await asyncio.wait_for(bus.discover(wait_s=0), 10)
    assert PAN not in str(stats)
