"""Framing, limits and the drain of the TCP listener, over real sockets with a receiver that the test controls."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol
from unittest.mock import patch

import pytest
import structlog

from iso8583 import frame
from terminal_gw.connection import Connection
from terminal_gw.listener import Limits, Listener
from terminal_gw.pipeline import Received
from terminal_gw.requests import Ingress

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echoing:
    """Answers with what came; holds answers back while `hold` is set; fails or says nothing when told so in the body."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.came_s = 0.0
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        self.release.set()

    async def receive(self, body: bytes, ingress: Ingress) -> Received:
        self.bodies.append(body)
        self.came_s = ingress.came_s or 0.0
        self.arrived.set()
        await self.release.wait()
        if body == b"bug":
            raise RuntimeError("a bug")
        if body == b"silence":
            return Received(None)
        return Received(b"re:" + body)


class Bench:
    def __init__(self, receiver: Echoing, listener: Listener, port: int) -> None:
        self.receiver, self.listener, self.port = receiver, listener, port
        self._writers: list[asyncio.StreamWriter] = []

    async def dial(self) -> Stream:
        stream = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(stream[1])
        return stream

    async def close(self) -> None:
        self.receiver.release.set()
        for writer in self._writers:
            writer.close()
        await self.listener.drain()


class Opener(Protocol):
    async def __call__(self, limits: Limits | None = None) -> Bench: ...


@pytest.fixture
async def open_bench() -> AsyncIterator[Opener]:
    benches: list[Bench] = []

    async def make(limits: Limits | None = None) -> Bench:
        receiver = Echoing()
        listener = Listener(receiver, limits or Limits())
        benches.append(Bench(receiver, listener, await listener.start("127.0.0.1", 0)))
        return benches[-1]

    yield make
    for bench in benches:
        await bench.close()


async def read(stream: Stream) -> bytes:
    """One answer's body."""
    return await stream[0].readexactly(int.from_bytes(await stream[0].readexactly(2), "big"))


async def closed(stream: Stream) -> bytes:
    """What still comes until the peer closes; a reset is a close too."""
    try:
        return await asyncio.wait_for(stream[0].read(), 10)
    except ConnectionError:
        return b""


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that has no event of its own, as a line in the log."""
    while not condition():
        await asyncio.sleep(0.001)


async def alive(bench: Bench) -> bool:
    """Whether another connection is served, undisturbed."""
    stream = await bench.dial()
    stream[1].write(frame(b"ping"))
    return await read(stream) == b"re:ping"


async def test_a_frame_has_come_when_it_is_there_and_not_when_somebody_has_time_for_it(open_bench: Opener) -> None:
    bench = await open_bench()
    loop, busy_s = asyncio.get_running_loop(), 0.05
    done_s = [0.0]

    def work() -> None:
        """What another message, handled before this one, takes."""
        time.sleep(busy_s)
        done_s[0] = time.monotonic()

    data_received = Connection.data_received

    def behind(connection: Connection, data: bytes) -> None:
        loop.call_soon(work)
        data_received(connection, data)

    stream = await bench.dial()
    with patch.object(Connection, "data_received", behind):
        stream[1].write(frame(b"one"))
        assert await read(stream) == b"re:one"
    assert bench.receiver.came_s <= done_s[0] - busy_s


async def test_frames_are_answered_one_after_the_other_however_they_are_cut(open_bench: Opener) -> None:
    bench = await open_bench()
    stream = await bench.dial()
    for body in (b"one", b"two" * 1000):
        stream[1].write(frame(body))
        assert await read(stream) == b"re:" + body
    for byte in frame(b"byte by byte"):
        stream[1].write(bytes([byte]))
        await stream[1].drain()
    assert await read(stream) == b"re:byte by byte"


@pytest.mark.parametrize("start", [b"\x00\x00", b"\x10\x01", b"\xff\xff" + b"x" * 70_000, b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_bad_length_closes_the_connection_from_the_header_alone(open_bench: Opener, start: bytes) -> None:
    bench = await open_bench()
    stream = await bench.dial()
    with structlog.testing.capture_logs() as lines:
        stream[1].write(start)
        assert await closed(stream) == b""
    assert [row["field"] for row in lines] == ["length"]
    assert bench.receiver.bodies == []
    assert await alive(bench)


@pytest.mark.parametrize("start", [b"\x00", b"\x00\x05abc"])
async def test_a_frame_that_is_not_whole_in_time_closes_the_connection(open_bench: Opener, start: bytes) -> None:
    bench = await open_bench(Limits(frame_timeout_s=0.05))
    stream = await bench.dial()
    with structlog.testing.capture_logs() as lines:
        stream[1].write(start)
        assert await closed(stream) == b""
    assert [row["field"] for row in lines] == ["length"]
    assert await alive(bench)


async def test_dripping_bytes_do_not_keep_a_frame_open(open_bench: Opener) -> None:
    bench = await open_bench(Limits(frame_timeout_s=0.1))
    stream = await bench.dial()
    ended = asyncio.create_task(closed(stream))
    stream[1].write(b"\x0f\xff")
    while not ended.done():
        stream[1].write(b"x")
        await asyncio.wait({ended}, timeout=0.01)
    assert bench.receiver.bodies == []


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(open_bench: Opener) -> None:
    bench = await open_bench(Limits(idle_timeout_s=0.05))
    idle, busy = await bench.dial(), await bench.dial()
    bench.receiver.release.clear()
    busy[1].write(frame(b"slow"))
    await bench.receiver.arrived.wait()
    assert await closed(idle) == b""
    bench.receiver.release.set()
    assert await read(busy) == b"re:slow"


@pytest.mark.parametrize("together", [True, False])
async def test_a_second_message_in_flight_costs_the_connection_but_not_the_first_answer(
    open_bench: Opener, together: bool
) -> None:
    bench = await open_bench()
    stream = await bench.dial()
    bench.receiver.release.clear()
    with structlog.testing.capture_logs() as lines:
        stream[1].write(frame(b"first") + (frame(b"second") if together else b""))
        await bench.receiver.arrived.wait()
        if not together:
            stream[1].write(frame(b"second"))
        await until(lambda: bool(lines))
        bench.receiver.release.set()
        assert await read(stream) == b"re:first"
        assert await closed(stream) == b""
    assert bench.receiver.bodies == [b"first"]
    assert "in flight" in lines[0]["event"]
    assert await alive(bench)


async def test_a_frame_longer_than_it_says_is_answered_and_its_rest_never_is(open_bench: Opener) -> None:
    bench = await open_bench(Limits(frame_timeout_s=0.05))
    stream = await bench.dial()
    stream[1].write(b"\x00\x03abcdefgh")
    assert await read(stream) == b"re:abc"
    assert await closed(stream) == b""
    assert bench.receiver.bodies == [b"abc"]


@pytest.mark.parametrize("body", [b"silence", b"bug"])
async def test_silence_and_bugs_close_the_connection_and_no_other(open_bench: Opener, body: bytes) -> None:
    bench = await open_bench()
    other, stream = await bench.dial(), await bench.dial()
    stream[1].write(frame(body))
    assert await closed(stream) == b""
    other[1].write(frame(b"next"))
    assert await read(other) == b"re:next"


async def test_silence_closes_the_connection_after_the_earlier_answers(open_bench: Opener) -> None:
    bench = await open_bench()
    stream = await bench.dial()
    for body in (b"one", b"two"):
        stream[1].write(frame(body))
        assert await read(stream) == b"re:" + body
    stream[1].write(frame(b"silence"))
    assert await closed(stream) == b""
    assert bench.receiver.bodies == [b"one", b"two", b"silence"]
    assert await alive(bench)


async def test_a_peer_that_says_no_more_gets_its_answer(open_bench: Opener) -> None:
    bench = await open_bench()
    stream = await bench.dial()
    bench.receiver.release.clear()
    stream[1].write(frame(b"last"))
    stream[1].write_eof()
    await bench.receiver.arrived.wait()
    bench.receiver.release.set()
    assert await closed(stream) == frame(b"re:last")


async def test_a_lost_connection_does_not_cancel_the_request(open_bench: Opener) -> None:
    bench = await open_bench(Limits(in_all=1))
    stream = await bench.dial()
    bench.receiver.release.clear()
    stream[1].write(frame(b"going"))
    await bench.receiver.arrived.wait()
    with structlog.testing.capture_logs() as lines:
        linger = struct.pack("ii", 1, 0)  # close with a reset: a mere end of stream would still get its answer
        stream[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream[1].transport.abort()
        refused = await bench.dial()
        assert await closed(refused) == b""  # the request in flight still counts
        bench.receiver.release.set()
        await until(lambda: any("lost" in row["event"] for row in lines))
    assert await alive(bench)


async def test_limits_per_address_and_in_all(open_bench: Opener) -> None:
    for limits in (Limits(per_address=2), Limits(in_all=2)):
        bench = await open_bench(limits)
        kept = [await bench.dial(), await bench.dial()]
        for stream in kept:
            stream[1].write(frame(b"here"))
            assert await read(stream) == b"re:here"
        with structlog.testing.capture_logs() as lines:
            assert await closed(await bench.dial()) == b""
        assert [row["limit"] for row in lines] == [2]
        kept[0][1].close()
        await until_served(bench)


async def until_served(bench: Bench) -> None:
    """Dials until somebody answers: when the listener learns of a peer's close is not for the test to know."""
    while True:
        try:
            assert await alive(bench)
            return
        except (asyncio.IncompleteReadError, ConnectionError):
            await asyncio.sleep(0.001)


async def test_hundreds_of_idle_connections_disturb_nobody(open_bench: Opener) -> None:
    bench = await open_bench()
    idle = [await bench.dial() for _ in range(400)]
    assert await alive(bench)
    assert await bench.listener.ready() == ""
    assert all(not stream[0].at_eof() for stream in idle)


async def test_the_drain_answers_what_is_in_flight_and_closes(open_bench: Opener) -> None:
    bench = await open_bench()
    idle, busy = await bench.dial(), await bench.dial()
    bench.receiver.release.clear()
    busy[1].write(frame(b"in flight"))
    await bench.receiver.arrived.wait()
    draining = asyncio.create_task(bench.listener.drain())
    assert await closed(idle) == b""
    assert not draining.done()
    assert await bench.listener.ready() == "not listening"
    with pytest.raises(ConnectionError):
        await bench.dial()
    bench.receiver.release.set()
    assert await read(busy) == b"re:in flight"
    assert await closed(busy) == b""
    await draining


async def test_the_drain_serves_an_idle_connection_once_more(open_bench: Opener) -> None:
    """What a terminal sends when the drain has begun, before it can know, is answered; then its connection is closed."""
    bench = await open_bench()
    stream = await bench.dial()
    assert await alive(bench)
    draining = asyncio.create_task(bench.listener.drain(quiet_s=60))
    while await bench.listener.ready() != "not listening":
        await asyncio.sleep(0)
    stream[1].write(frame(b"late"))
    assert await read(stream) == b"re:late"
    assert await closed(stream) == b""
    await draining


async def test_who_dials_between_two_gateways_is_served_by_the_second(open_bench: Opener) -> None:
    """They share the socket, so nobody is turned away when the first has gone, and what it has not accepted is not lost."""
    with socket.socket() as shared:
        shared.bind(("127.0.0.1", 0))
        port = shared.getsockname()[1]
        first, second = await open_bench(), await open_bench()
        assert await first.listener.start("", 0, handed=shared.fileno()) == port
        await first.listener.drain()
        stream = await asyncio.open_connection("127.0.0.1", port)
        stream[1].write(frame(b"between"))
        await second.listener.start("", 0, handed=shared.fileno())
        assert await read(stream) == b"re:between"
        stream[1].close()


async def test_the_drain_does_not_wait_for_ever(open_bench: Opener) -> None:
    bench = await open_bench()
    busy = await bench.dial()
    bench.receiver.release.clear()
    busy[1].write(frame(b"stuck"))
    await bench.receiver.arrived.wait()
    with structlog.testing.capture_logs() as lines:
        await bench.listener.drain(within_s=0.05)
    assert [row["connections"] for row in lines] == [1]
    assert await closed(busy) == b""
