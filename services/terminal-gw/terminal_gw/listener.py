"""The TCP listener: connections, their limits, and the drain."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from dataclasses import dataclass

from runtime import logs
from terminal_gw.connection import Connection, Receiver

log = logs.get("listener")

BACKLOG = 1024
NOT_HANDED = -1
DRAIN_S = 12.0
"""How long requests in flight may take once the process is asked to stop."""
QUIET_S = 1.0
"""A connection on which nothing has come for so long after that is closed; the others when they have been answered once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one peer, and all of them, may take."""

    handshake_timeout_s: float = 5.0
    frame_timeout_s: float = 5.0
    idle_timeout_s: float = 120.0
    per_address: int = 2000
    in_all: int = 5000


class Listener:
    """One listening socket, all connections (those of the TLS door too) and their caps."""

    def __init__(self, receiver: Receiver, limits: Limits) -> None:
        self.receiver = receiver
        self.limits = limits
        self._connections: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._all_gone = asyncio.Event()
        self._draining = False

    async def start(self, host: str, port: int, *, handed: int = NOT_HANDED) -> int:
        """Listens, on the socket `handed` over where there is one; returns the port taken."""
        loop = asyncio.get_running_loop()
        if handed == NOT_HANDED:
            self._server = await loop.create_server(lambda: Connection(self, self.limits), host, port, backlog=BACKLOG)
        else:
            shared = socket.socket(fileno=os.dup(handed))
            self._server = await loop.create_server(lambda: Connection(self, self.limits), sock=shared, backlog=BACKLOG)
        taken: int = self._server.sockets[0].getsockname()[1]
        return taken

    @property
    def open(self) -> int:
        """Connections that hold a place under the caps."""
        return len(self._connections)

    async def ready(self) -> str:
        """Empty when terminals can dial in."""
        if self._server is None or self._draining:
            return "not listening"
        return "" if len(self._connections) < self.limits.in_all else f"all {self.limits.in_all} connections are taken"

    def admit(self, connection: Connection, address: str) -> bool:
        """False, with a line in the log, when there is no room. What has been accepted when the drain begins is served like the rest."""
        if len(self._connections) >= self.limits.in_all:
            log.warning("connection refused: as many as may be are open", limit=self.limits.in_all, peer=address)
            return False
        if self._by_address[address] >= self.limits.per_address:
            log.warning("connection refused: too many from one address", limit=self.limits.per_address, peer=address)
            return False
        self._connections.add(connection)
        self._by_address[address] += 1
        if self._draining:
            self._all_gone.clear()
            connection.leave(QUIET_S)
        return True

    def gone(self, connection: Connection, address: str) -> None:
        """An admitted connection has ended, its request in flight included."""
        self._connections.discard(connection)
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        if not self._connections:
            self._all_gone.set()

    async def drain(self, within_s: float = DRAIN_S, *, quiet_s: float = QUIET_S) -> None:
        """Stops accepting and serves on, each connection until it has been answered once more or nothing comes on it (Connection.leave)."""
        self._draining = True
        if self._server is not None:
            self._server.close()
        if not self._connections:
            return
        self._all_gone.clear()
        for connection in tuple(self._connections):
            connection.leave(quiet_s)
        try:
            await asyncio.wait_for(self._all_gone.wait(), within_s)
        except TimeoutError:
            log.error("requests in flight were not answered in time", connections=len(self._connections))
            for connection in tuple(self._connections):
                connection.abort()
