"""What the simulated days stand on: a clock that jumps, processes that die between two steps, and a network that holds things back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from simulation.broker.streams import Refused, Stream
from simulation.broker.subjects import Interest, covers
from simulation.chance import virtual
from simulation.loop import START_NS, Loop, Stuck
from simulation.network import Network
from simulation.processes import Process


class World:
    """A loop and a network, and processes by name."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.network = Network(self.loop, random.Random(1), Process("-"))  # noqa: S311 - to be repeated
        self.loop.network = self.network
        self.said: list[str] = []

    def start(self, process: Process, work: Coroutine[Any, Any, None]) -> None:
        self.loop.create_task(work, context=process.context)

    def kill(self, process: Process) -> None:
        process.alive = False
        self.network.hang_up(process)

    def run(self, seconds: float) -> None:
        with virtual(self.loop, 1):
            self.loop.run(asyncio.sleep(seconds))

    def elapsed_s(self) -> float:
        return (self.loop.now_ns - START_NS) / 1e9


@pytest.fixture
def around() -> Iterator[World]:
    world = World()
    yield world
    world.loop.abandon()


def test_the_clock_jumps_and_stops_with_whoever_waits_for_nothing(around: World) -> None:
    began = time.monotonic()
    around.run(3600)
    assert around.elapsed_s() == pytest.approx(3600)
    assert time.monotonic() - began < 3600
    with pytest.raises(Stuck):
        around.loop.run(asyncio.Event().wait())


def test_the_dead_do_nothing_more(around: World) -> None:
    process = Process("dead")

    async def work() -> None:
        try:
            for _ in range(100):
                around.said.append("alive")
                await asyncio.sleep(1)
        finally:
            around.said.append("finally")

    around.start(process, work())
    around.loop.call_later(2.5, around.kill, process)
    around.run(60)
    assert around.said == ["alive"] * 3


def test_a_fuse_ends_a_process_between_two_of_its_callbacks(around: World) -> None:
    process, ended = Process("short"), []
    around.loop.on_fuse = ended.append

    async def work() -> None:
        for step in range(100):
            around.said.append(str(step))
            await asyncio.sleep(0)

    around.start(process, work())
    process.fuse = 4
    around.run(1)
    assert ended[0] is process
    assert around.said[:3] == ["0", "1", "2"]


def test_who_was_stopped_does_everything_later(around: World) -> None:
    process = Process("stopped")

    async def work() -> None:
        while True:
            around.said.append(f"{around.elapsed_s():.0f}")
            await asyncio.sleep(1)

    around.start(process, work())
    around.loop.call_later(1.5, setattr, process, "paused", True)
    around.loop.call_later(9.5, around.loop.resume, process)
    around.run(11)
    assert around.said == ["0", "1", "10", "11"]


def test_a_clock_is_wrong_for_one_process_alone(around: World) -> None:
    ahead, right = Process("ahead"), Process("right")
    ahead.clock_ahead_ns = 3_600_000_000_000
    seen: dict[str, float] = {}

    async def look(name: str) -> None:
        seen[name] = time.time()

    around.start(ahead, look("ahead"))
    around.start(right, look("right"))
    around.run(1)
    assert seen["ahead"] - seen["right"] == pytest.approx(3600, abs=1)


async def say(around: World, name: str, *words: str) -> None:
    """Connects to port 7, says a word a second, and tells how it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", 7)
    try:
        for word in words:
            writer.write(word.encode())
            await writer.drain()
            await asyncio.sleep(1)
        while heard := await reader.read(100):
            around.said.append(f"{name} hears {heard.decode()}")
        around.said.append(f"{name}: end")
    except ConnectionError as error:
        around.said.append(f"{name}: {type(error).__name__}")


async def listen(around: World) -> None:
    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            around.said.append(f"{data.decode()} at {around.elapsed_s():.0f}")
            writer.write(b"ok")

    await asyncio.start_server(heard, "127.0.0.1", 7)
    await asyncio.Event().wait()


def test_what_a_partition_holds_back_arrives_when_it_heals(around: World) -> None:
    server, client = Process("server"), Process("client")
    around.start(server, listen(around))
    around.loop.call_later(0.5, around.start, client, say(around, "client", "a", "b", "c"))
    around.loop.call_later(1, around.network.part, "client", "server")
    around.loop.call_later(7, around.network.heal, "client", "server")
    around.run(20)
    heard = [line for line in around.said if " at " in line]
    assert heard[0] == "a at 1"
    assert "".join(line.removesuffix(" at 7") for line in heard[1:]) == "bc"


def test_the_dead_hang_up_and_nobody_learns_it_through_a_partition(around: World) -> None:
    server, client = Process("server"), Process("client")
    around.start(server, listen(around))
    around.loop.call_later(0.5, around.start, client, say(around, "client", "a", "b", "c"))
    around.loop.call_later(1, around.network.part, "server", "client")
    around.loop.call_later(2, around.kill, server)
    around.run(10)
    assert not [line for line in around.said if line.startswith("client:")]
    around.loop.call_soon(around.network.heal, "server", "client")
    around.run(1)
    assert around.said[-1] == "client: ConnectionResetError"


def test_nobody_listens_there_any_more(around: World) -> None:
    client = Process("client")

    async def dial() -> None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", 7)
        around.said.append("refused")

    around.start(client, dial())
    around.run(1)
    assert around.said == ["refused"]


@pytest.mark.parametrize(
    ("pattern", "subject", "yes"),
    [("a.*.c", "a.b.c", True), ("a.*", "a.b.c", False), ("a.>", "a.b.c", True), (">", "a", True), ("a", "a.b", False)],
)
def test_subjects_match_alike_for_streams_and_subscriptions(pattern: str, subject: str, yes: bool) -> None:
    interest: Interest[str] = Interest()
    interest.add(pattern, "one")
    assert covers(pattern, subject) is yes
    assert interest.match(subject) == (["one"] if yes else [])
    interest.remove(pattern, "one")
    assert interest.match(subject) == []


def test_a_stream_takes_a_duplicate_for_the_first_before_it_looks_at_the_sequence() -> None:
    stream = Stream({"name": "S", "subjects": ["s"]})
    header = b"NATS/1.0\r\nNats-Msg-Id: one\r\nNats-Expected-Last-Sequence: 0\r\n\r\n"
    assert stream.store("s", header, b"1", 0) == (1, False)
    assert stream.store("s", header, b"1", 1) == (1, True)
    with pytest.raises(Refused, match="wrong last sequence: 1"):
        stream.store("s", header.replace(b"one", b"two"), b"1", 2)
