"""A network in memory: connections with latency, that are lost, partitioned, or open on one side only.

Bytes arrive in order and none is lost while the connection stands, as TCP has it. What a partition holds back arrives when it has
healed, unless one side has given up before; then the other one learns of it from what it sends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from simulation.loop import Loop
from simulation.processes import PROCESS, Process

CONNECT_TIMEOUT_S = 30.0
FIRST_FREE_PORT = 40_000


class _Address:
    """What asyncio's server has in `sockets`."""

    def __init__(self, port: int) -> None:
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self._port


class Server:
    """A listening port of a process."""

    def __init__(self, network: Network, port: int, factory: Callable[[], asyncio.Protocol], process: Process) -> None:
        self.port = port
        self.factory = factory
        self.process = process
        self.sockets = [_Address(port)]
        self._network = network

    def close(self) -> None:
        if self._network.servers.get(self.port) is self:
            del self._network.servers[self.port]

    async def wait_closed(self) -> None:
        return

    async def start_serving(self) -> None:
        return

    def is_serving(self) -> bool:
        return self._network.servers.get(self.port) is self


class End(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, network: Network, process: Process, port: int) -> None:
        super().__init__()
        self._network = network
        self._loop = network.loop
        self.process = process
        self.port = port
        self.peer: End | None = None
        self.protocol: asyncio.Protocol | None = None
        self._closing = False
        self.gone = False
        """Its protocol has been told that the connection is lost."""
        self._reading = True
        self._unread: list[bytes] = []
        self._clear_ns = 0
        """When the last of what was sent arrives."""
        self.held: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        """What a partition keeps from arriving."""
        self.cut_after = -1
        """Bytes of the next write that still arrive before the connection breaks; below 0: it does not."""

    # ------------------------------------------------------------------ asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self.gone or not data:
            return
        peer = cast(End, self.peer)
        if self.cut_after >= 0:
            peer.arrives(peer.receive, bytes(data)[: self.cut_after])
            self._network.cut(self)
            return
        peer.arrives(peer.receive, bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        cast(End, self.peer).arrives(cast(End, self.peer).end_of_input)
        self._loop.call_soon(self.lost, None)

    def abort(self) -> None:
        if self.gone:
            return
        self._closing = True
        cast(End, self.peer).arrives(cast(End, self.peer).reset)
        self._loop.call_soon(self.lost, None)

    def is_closing(self) -> bool:
        return self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", self.port), "sockname": ("127.0.0.1", self.port)}.get(name, default)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        cast(End, self.peer).arrives(cast(End, self.peer).end_of_input)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        unread, self._unread = self._unread, []
        for data in unread:
            self._loop.call_soon(self.receive, data)

    def is_reading(self) -> bool:
        return self._reading

    def get_protocol(self) -> asyncio.BaseProtocol:
        return cast(asyncio.Protocol, self.protocol)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast(asyncio.Protocol, protocol)

    # ------------------------------------------------------------------ what the other end sends

    def arrives(self, what: Callable[..., None], *args: Any) -> None:
        """`what` happens at this end after the way there, behind everything that was sent before."""
        peer = cast(End, self.peer)
        if self._network.parted(peer.process, self.process):
            self.held.append((what, args))
            return
        loop = self._loop
        self._clear_ns = max(self._clear_ns + 1, loop.now_ns + self._network.latency_ns(peer.process, self.process))
        loop.call_at(self._clear_ns / 1e9, what, *args, context=self.process.context)

    def healed(self) -> None:
        held, self.held = self.held, []
        for what, args in held:
            self.arrives(what, *args)

    def receive(self, data: bytes) -> None:
        if self.gone or self._closing:
            if self.gone and self.process.alive:
                cast(End, self.peer).arrives(cast(End, self.peer).reset)
        elif not self._reading:
            self._unread.append(data)
        elif data:
            cast(asyncio.Protocol, self.protocol).data_received(data)

    def end_of_input(self) -> None:
        if not self.gone and not self._closing and not cast(asyncio.Protocol, self.protocol).eof_received():
            self.close()

    def reset(self) -> None:
        self._closing = True
        self.lost(ConnectionResetError("connection reset by peer"))

    def lost(self, error: Exception | None) -> None:
        if not self.gone:
            self.gone = True
            self._network.ends.pop(self, None)
            cast(asyncio.Protocol, self.protocol).connection_lost(error)


class Network:
    """All ports, connections and partitions of a run."""

    def __init__(self, loop: Loop, chance: random.Random, home: Process) -> None:
        self.loop = loop
        self.servers: dict[int, Server] = {}
        self.ends: dict[End, None] = {}
        self.home = home
        """The process of the simulation itself."""
        self._chance = chance
        self._partitions: list[tuple[str, str]] = []
        self.slow: dict[str, float] = {}
        """Process → seconds that everything takes to reach it or to come from it."""
        self._next_port = FIRST_FREE_PORT

    def latency_ns(self, sender: Process, receiver: Process) -> int:
        usual = 50_000 + int(self._chance.random() * 300_000)
        if not self.slow:
            return usual
        return usual + int(1e9 * (self.slow.get(sender.name, 0) + self.slow.get(receiver.name, 0)))

    # ------------------------------------------------------------------ connections

    def listen(self, factory: Callable[[], asyncio.Protocol], port: int) -> Server:
        if not port:
            self._next_port += 1
            port = self._next_port
        if port in self.servers:
            raise OSError(f"port {port} is taken")
        process = PROCESS.get() or self.home
        server = self.servers[port] = Server(self, port, factory, process)
        process.at_end.append(server.close)
        return server

    async def connect(self, factory: Callable[[], asyncio.Protocol], port: int) -> tuple[End, asyncio.Protocol]:
        process = PROCESS.get() or self.home
        await asyncio.sleep(self.latency_ns(process, process) / 1e9)
        server = self.servers.get(port)
        if server is None:
            raise ConnectionRefusedError(f"port {port}: nobody listens")
        if self.parted(process, server.process) or self.parted(server.process, process) or server.process.paused:
            await asyncio.sleep(CONNECT_TIMEOUT_S)
            raise TimeoutError(f"port {port}: no answer")
        here, there = End(self, process, port), End(self, server.process, port)
        here.peer, there.peer = there, here
        self.ends[here] = self.ends[there] = None
        there.protocol = server.process.context.copy().run(server.factory)
        self.loop.call_soon(there.protocol.connection_made, there, context=server.process.context)
        here.protocol = factory()
        here.protocol.connection_made(here)
        return here, here.protocol

    def cut(self, end: End) -> None:
        """The connection breaks, for both."""
        for one in (end, cast(End, end.peer)):
            self.loop.call_soon(one.reset, context=one.process.context)

    def hang_up(self, process: Process) -> None:
        """What the kernel does for a dead process: every connection is reset."""
        for end in [end for end in self.ends if end.process is process]:
            end.gone = end._closing = True
            del self.ends[end]
            cast(End, end.peer).arrives(cast(End, end.peer).reset)

    def between(self, one: str, other: str) -> list[End]:
        """The ends that `one` has of its connections with `other`."""
        return [e for e in self.ends if e.process.name == one and cast(End, e.peer).process.name == other]

    # ------------------------------------------------------------------ partitions

    def parted(self, sender: Process, receiver: Process) -> bool:
        return bool(self._partitions) and (sender.name, receiver.name) in self._partitions

    def part(self, sender: str, receiver: str) -> None:
        """Nothing that `sender` says reaches `receiver` from now on."""
        self._partitions.append((sender, receiver))

    def heal(self, sender: str, receiver: str) -> None:
        if (sender, receiver) in self._partitions:
            self._partitions.remove((sender, receiver))
        for end in list(self.ends):
            if end.held and not self.parted(cast(End, end.peer).process, end.process):
                end.healed()

    def heal_all(self) -> None:
        self.slow.clear()
        for end in self.ends:
            end.cut_after = -1
        for sender, receiver in list(self._partitions):
            self.heal(sender, receiver)
