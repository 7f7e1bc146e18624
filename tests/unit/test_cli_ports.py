"""The gateway's port belongs to a stack from the moment it is chosen, not only once its gateway listens there."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from lianji.commands.up import DEFAULT_PORT, _hold
from lianji.errors import CliError
from lianji.ports import LOOPBACK, HeldPort, PortTakenError
from lianji.stack import Stack

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stacks are told apart by Linux's abstract sockets")


@pytest.fixture
def held() -> Iterator[HeldPort]:
    port = HeldPort()
    yield port
    port.release()


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_it_can_be_listened_on_again_and_again(runner: Any, held: HeldPort) -> None:
    async def one_life() -> None:
        answered = asyncio.Event()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()
            answered.set()

        server = await asyncio.start_server(serve, LOOPBACK, held.number)
        reader, writer = await asyncio.open_connection(LOOPBACK, held.number)
        assert await reader.read() == b""
        writer.close()
        await answered.wait()
        server.close()

    for _ in range(3):
        runner(one_life())


def test_nobody_listens_there_before_the_gateway_does(held: HeldPort) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, held.number), 5)


def test_two_stacks_that_start_at_once_have_two_ports(tmp_path: Path) -> None:
    """Neither's gateway listens yet."""
    first, second = _hold(tmp_path / "a", 0), _hold(tmp_path / "b", 0)
    assert first.number != second.number
    assert second.number != DEFAULT_PORT
    with pytest.raises(CliError, match=f"port: {first.number} is taken; take another --port"):
        _hold(tmp_path / "c", first.number)
    first.release()
    again = _hold(tmp_path / "c", first.number)
    assert again.number == first.number
    for port in (again, second):
        port.release()


def test_a_connection_of_anybody_s_does_not_take_it(held: HeldPort) -> None:
    with ExitStack() as open_ones:
        server = open_ones.enter_context(socket.create_server((LOOPBACK, 0), backlog=256))
        for _ in range(200):
            line = open_ones.enter_context(socket.create_connection(server.getsockname(), 5))
            assert line.getsockname()[1] != held.number
            open_ones.enter_context(server.accept()[0])
        with pytest.raises(OSError, match="in use"):
            open_ones.enter_context(socket.socket()).bind((LOOPBACK, held.number))


def test_what_listens_already_is_taken_and_what_may_not_be_had_is_said() -> None:
    with socket.create_server((LOOPBACK, 0)) as other, pytest.raises(PortTakenError, match="is taken"):
        HeldPort(other.getsockname()[1])


async def test_a_stack_lets_go_of_its_port(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    with pytest.raises(PortTakenError):
        HeldPort(stack.gateway_port)
    await stack.stop()
    HeldPort(stack.gateway_port).release()
