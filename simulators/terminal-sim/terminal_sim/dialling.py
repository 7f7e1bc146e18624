"""How a terminal's shaped lines come to stand, one after the other, over TLS too."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from terminal_sim.shaped import Chance, Fate, Happened, Shape, ShapedLine

P = TypeVar("P", bound=asyncio.Protocol)


class _Passing(asyncio.Protocol):
    """Hands on what comes to another transport, and its end."""

    other: asyncio.Transport | None = None

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


class Dialler:
    """Makes the lines of one terminal, one after the other, and knows those that the host still has."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.happened = Happened()
        self._lines: set[ShapedLine] = set()

    async def connect(
        self,
        terminal: Callable[[], P],
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        reach_s: float,
        trust_s: float,
    ) -> P:
        """A line that stands, after the time that it takes; OSError when it does not come up, TimeoutError among them.

        The host itself has `reach_s` seconds to accept, and `trust_s` for a handshake of TLS, which goes over the shaped line.
        """
        self.happened.calls += 1
        seed = f"{self.shape.seed}:{self.happened.calls}"
        try:
            await self._dial(Chance(self.shape, f"{seed}:call"))
            if tls is None:
                protocol = terminal()
                await self._reach(protocol, host, port, seed, reach_s)
                return protocol
            outer = _Passing()
            line = await self._reach(outer, host, port, seed, reach_s)
            async with asyncio.timeout(trust_s):
                return await _secure(terminal, tls, host, line, outer)
        except OSError:
            self.happened.failed += 1
            raise

    async def _dial(self, chance: Chance) -> None:
        fate, stalled_s = chance.fate()
        await asyncio.sleep(chance.connect_s() + stalled_s)
        if fate is not Fate.ARRIVES:
            raise ConnectionError("the line does not come up")

    async def _reach(self, protocol: asyncio.Protocol, host: str, port: int, seed: str, within_s: float) -> ShapedLine:
        async with asyncio.timeout(within_s):
            _, line = await asyncio.get_running_loop().create_connection(
                lambda: ShapedLine(protocol, self.shape, seed, self.happened), host, port
            )
        self._lines.add(line)
        line.gone = self._lines.discard
        return line

    def forget(self) -> None:
        """The terminal is switched off: the host's ends of lines that it never heard of again are closed."""
        for line in tuple(self._lines):
            line.forget()


async def _secure(terminal: Callable[[], P], tls: ssl.SSLContext, host: str, line: ShapedLine, outer: _Passing) -> P:
    """TLS takes real sockets only: a pair of them stands between it and the line, so that its handshake is shaped as well."""
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    for end in (near, far):
        end.setblocking(False)
    try:
        inner = _Passing()
        inner.other = line
        outer.other, _ = await loop.create_connection(lambda: inner, sock=far)
        _, protocol = await loop.create_connection(terminal, sock=near, ssl=tls, server_hostname=host)
    except BaseException:
        line.abort()
        raise
    return protocol
