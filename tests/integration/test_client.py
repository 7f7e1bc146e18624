"""The short way through nats-py's client, on a broker: order, size, failure, a broker that restarts, and what waits for a slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import patch

import nats.errors
import pytest
import structlog
import uvloop

from lianji.broker import LocalBroker
from runtime import serving
from runtime.bus import Bus, NoAnswer, NoRoom, Request, SteppedDown
from runtime.client import header_block, header_value
from tests.support_simulated import BROKERS


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def until_taken(got: asyncio.Queue[bytes], count: int) -> list[bytes]:
    return [await asyncio.wait_for(got.get(), 10) for _ in range(count)]


async def test_both_ways_of_publishing_keep_one_order(bus: Bus) -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()
    await bus.client.take("client.order", lambda *message: got.put_nowait(message[3]))
    for number in range(50):
        if number % 3:
            bus.client.send("client.order", b"%d" % number)
        else:
            await bus.client.publish("client.order", b"%d" % number)
    assert await until_taken(got, 50) == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("size", [0, 1, 4096, 200_000, 1_000_000])
async def test_a_message_of_any_size_comes_whole(bus: Bus, size: int) -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()
    await bus.client.take(f"client.size.{size}", lambda *message: got.put_nowait(message[3]))
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    bus.client.send(f"client.size.{size}", body, header=header_block({"a": "1"}))
    assert await until_taken(got, 1) == [body]


async def test_headers_arrive_as_they_were_sent(bus: Bus) -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()
    await bus.client.take("client.header", lambda *message: got.put_nowait(message[2]))
    await bus.client.publish("client.header", b"", headers={"first": "1", "second": "two words"})
    (header,) = await until_taken(got, 1)
    assert (header_value(header, b"first"), header_value(header, b"second")) == ("1", "two words")
    assert header_value(header, b"third") == ""


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\n", "\r"])
def test_a_header_cannot_bring_another_one(value: str) -> None:
    with pytest.raises(ValueError, match="line's end"):
        header_block({"name": value})


@pytest.mark.parametrize("subject", ["two words", "line\r\nPING", "tab\there"])
async def test_a_subject_cannot_bring_a_command(bus: Bus, subject: str) -> None:
    with pytest.raises(nats.errors.BadSubjectError):
        bus.client.send(subject, b"")
    with pytest.raises(nats.errors.BadSubjectError):
        bus.client.send("client.reply", b"", reply=subject)


async def test_a_message_that_cannot_be_taken_costs_nothing_but_itself(bus: Bus) -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()

    def take(subject: str, reply: str, header: bytes, data: bytes) -> None:
        if data == b"bad":
            raise RuntimeError("cannot")
        got.put_nowait(data)

    await bus.client.take("client.bad", take)
    with structlog.testing.capture_logs() as lines:
        for body in (b"1", b"bad", b"2"):
            bus.client.send("client.bad", body)
        assert await until_taken(got, 2) == [b"1", b"2"]
    assert [line["event"] for line in lines] == ["a message could not be taken"]


@pytest.mark.broker
async def test_a_subscription_outlives_the_broker(tmp_path: Path) -> None:
    first = LocalBroker(tmp_path)
    first.start()
    connection = await Bus.connect(first.url, "survivor", wait_s=10)
    got: asyncio.Queue[bytes] = asyncio.Queue()
    await connection.client.take("client.again", lambda *message: got.put_nowait(message[3]))
    port = int(first.url.rpartition(":")[2])
    first.stop()
    await asyncio.wait_for(gone(connection), 10)
    with pytest.raises(nats.errors.OutboundBufferLimitError):
        connection.client.send("client.again", b"lost")  # it fails instead of surprising somebody later
    second = LocalBroker(tmp_path, port=port)
    second.start()
    try:
        await asyncio.wait_for(connection.connected.wait(), 20)
        connection.client.send("client.again", b"found")
        assert await until_taken(got, 1) == [b"found"]
    finally:
        await connection.close()
        second.stop()


def test_hanging_up_on_a_broker_that_is_gone_is_no_failure(tmp_path: Path) -> None:
    """On the loop that services run on, whose sockets refuse what is written to them once they are gone."""

    async def survive() -> None:
        broker = LocalBroker(tmp_path)
        broker.start()
        connection = await Bus.connect(broker.url, "last-one", wait_s=10)
        serving = await connection.serve("client.last", handler)
        broker.stop()
        await asyncio.wait_for(gone(connection), 10)
        await serving.stop()
        await asyncio.wait_for(connection.close(), 10)

    async def handler(request: Request) -> bytes:
        return request.body

    uvloop.run(survive())


async def gone(connection: Bus) -> None:
    while connection.client.is_connected:
        await asyncio.sleep(0.01)


async def test_what_waits_for_a_slot_is_handled_in_its_order(bus: Bus) -> None:
    handled: list[bytes] = []
    at_once, most, open_ = 0, 0, asyncio.Event()

    async def handler(request: Request) -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await open_.wait()
        handled.append(request.body)
        at_once -= 1
        return request.body

    served = await bus.serve("client.slots", handler, concurrency=2)
    asked = [asyncio.create_task(bus.request("client.slots", b"%d" % n, timeout_s=10)) for n in range(7)]
    while len(served._waiting) < 5:
        await asyncio.sleep(0.01)
    open_.set()
    assert await asyncio.gather(*asked) == [b"%d" % n for n in range(7)]
    assert (handled, most) == ([b"%d" % n for n in range(7)], 2)
    await served.stop()


async def test_what_waits_for_a_slot_is_told_when_there_will_be_none(bus: Bus) -> None:
    begun = asyncio.Event()

    async def handler(request: Request) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    served = await bus.serve("client.never", handler, concurrency=1)
    asked = [asyncio.create_task(bus.request("client.never", b"", timeout_s=30)) for _ in range(3)]
    await asyncio.wait_for(begun.wait(), 10)
    while len(served._waiting) < 2:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(served.stop(cancel=True), 10)
    ended = [type(error) for error in await asyncio.gather(*asked, return_exceptions=True)]
    assert sorted(ended, key=str) == [NoAnswer, SteppedDown, SteppedDown], "only one was begun"


class Held:
    """A handler that answers with what it was asked, once it may."""

    def __init__(self) -> None:
        self.begun, self.may_go = asyncio.Event(), asyncio.Event()

    async def handle(self, request: Request) -> bytes:
        self.begun.set()
        await self.may_go.wait()
        return request.body


async def test_what_finds_no_room_to_wait_is_refused_at_once(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING", 1)
    held = Held()
    served = await bus.serve("client.full", held.handle, concurrency=1)
    asked = [asyncio.create_task(bus.request("client.full", b"%d" % n, timeout_s=30)) for n in range(3)]
    with pytest.raises(NoRoom):
        await asked[2]
    held.may_go.set()
    assert await asyncio.gather(*asked[:2]) == [b"0", b"1"]
    await served.stop()


async def test_what_waits_for_nobody_any_more_takes_no_room(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_WAITING", 1)
    held = Held()
    served = await bus.serve("client.late", held.handle, concurrency=1)
    first = asyncio.create_task(bus.request("client.late", b"1", timeout_s=30))
    await asyncio.wait_for(held.begun.wait(), 10)
    with pytest.raises(NoAnswer):
        await bus.request("client.late", b"2", timeout_s=0.01)
    third = asyncio.create_task(bus.request("client.late", b"3", timeout_s=30))
    while not served._waiting or served._waiting[0].data != b"3":
        await asyncio.sleep(0.01)
        assert not third.done(), "refused for the sake of one that nobody waits for"
    held.may_go.set()
    assert await asyncio.gather(first, third) == [b"1", b"3"]
    await served.stop()


async def test_who_has_not_begun_when_it_steps_down_says_so(bus: Bus) -> None:
    async def handler(request: Request) -> bytes:
        raise AssertionError

    served = await bus.serve("client.down", handler)
    begin = served._begin

    def and_down(message: serving._Message) -> None:
        begin(message)
        served._cancel()  # in the same turn of the loop, as when a term ends while requests are read

    with patch.object(served, "_begin", and_down), pytest.raises(SteppedDown):
        await bus.request("client.down", b"", timeout_s=10)
    await served.stop()


class Wire:
    """A broker's end of the line: it greets, answers PING unless it is to be silent, and writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.silent = self.deaf = False
        self.lines: list[asyncio.StreamWriter] = []
        self.met = asyncio.Event()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(writer)
        self.met.set()
        writer.write(b'INFO {"server_id":"W","max_payload":1048576,"headers":true}\r\n')
        while line := await reader.readline():
            self.heard.append(line.decode().split(" ")[0].strip())
            if self.heard[-1] == "PING" and not self.silent:
                writer.write(b"PONG\r\n")
            if self.deaf:
                await asyncio.Event().wait()


@pytest.fixture
async def wired() -> AsyncIterator[tuple[Wire, Bus]]:
    wire = Wire()
    server = await asyncio.start_server(wire.meet, "127.0.0.1", 0)
    bus = await Bus.connect(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", "test")
    await bus.client.flush()
    yield wire, bus
    wire.silent = wire.deaf = False
    await bus.close()
    server.close()


async def test_a_pong_that_comes_late_costs_nothing(wired: tuple[Wire, Bus]) -> None:
    wire, bus = wired
    got: asyncio.Queue[bytes] = asyncio.Queue()
    subscription = await bus.client.take("client.late", lambda *message: got.put_nowait(message[3]))
    wire.silent = True
    with pytest.raises(nats.errors.TimeoutError):
        await bus.client.flush(timeout=0.01)
    message = f"MSG client.late {subscription._id} 2\r\nhi\r\n".encode()
    wire.lines[0].write(b"PONG\r\n" + message)
    assert await until_taken(got, 1) == [b"hi"]
    wire.silent = False
    assert not await bus.alive()


async def test_a_connection_that_nobody_reads_any_more_is_made_anew(wired: tuple[Wire, Bus]) -> None:
    wire, bus = wired
    wire.met.clear()
    with patch.object(bus.client, "_process_pong", side_effect=ZeroDivisionError):
        wire.lines[0].write(b"PONG\r\n")
        await asyncio.wait_for(wire.met.wait(), 10)
    await asyncio.wait_for(bus.connected.wait(), 10)


async def test_what_is_said_before_a_ping_goes_before_it(wired: tuple[Wire, Bus]) -> None:
    wire, bus = wired
    subscription = await bus.client.take("client.order", lambda *_: None)
    bus.client.send("client.said", b"")
    await subscription.drain()
    pub, unsub = wire.heard.index("PUB"), wire.heard.index("UNSUB")
    assert pub < unsub < len(wire.heard) - 1 - wire.heard[::-1].index("PING")


async def test_a_broker_that_takes_nothing_does_not_hold_up_the_next_connection(wired: tuple[Wire, Bus]) -> None:
    wire, bus = wired
    wire.deaf = True
    while bus.client._unsent() < 1 << 20:
        bus.client.send("client.unsent", bytes(1 << 20))
        await asyncio.sleep(0)
    wire.deaf = False
    wire.met.clear()
    await bus.client._process_op_err(nats.errors.StaleConnectionError())
    await asyncio.wait_for(wire.met.wait(), 10)
