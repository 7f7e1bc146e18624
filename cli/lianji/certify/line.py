"""A TCP connection to a host on which anything may be said, also what no terminal would say."""

from __future__ import annotations

import asyncio
from typing import cast

from iso8583 import FormatError, FrameReader, frame

ANSWER_S = 25.0
"""The host says something, or closes, within 18 s (terminal-protocol, chapter 9)."""
CONNECT_S = 5.0


class LineError(Exception):
    """The host cannot be reached, was silent for too long, or sends what is no frame."""


class Line(asyncio.Protocol):
    """Bodies that arrive wait until they are read; the end of the connection comes behind them."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._frames = FrameReader()
        self._bodies: list[bytes] = []
        self._damaged = ""
        self._ended = False
        self._news = asyncio.Event()

    @classmethod
    async def dial(cls, host: str, port: int) -> Line:
        """LineError when nobody answers there."""
        try:
            async with asyncio.timeout(CONNECT_S):
                _, line = await asyncio.get_running_loop().create_connection(cls, host, port)
        except OSError as error:  # TimeoutError among them
            raise LineError(f"{host}:{port} cannot be reached: {error or 'no answer'}") from None
        return line

    @property
    def open(self) -> bool:
        return not self._ended and not self._damaged

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        if self._transport is not None:
            self._transport.write(data)

    def send(self, body: bytes) -> None:
        """A body as a frame."""
        self.write(frame(body))

    async def read(self, *, within_s: float = ANSWER_S) -> bytes | None:
        """The next body; None when the host has closed the connection. LineError when neither comes in time."""
        try:
            async with asyncio.timeout(within_s):
                while not self._bodies and self.open:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise LineError(f"neither an answer nor the end of the connection within {within_s:g} s") from None
        if self._bodies:
            return self._bodies.pop(0)
        if self._damaged:
            raise LineError(f"what came is no frame: {self._damaged}")
        return None

    def close(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._frames.push(data)
        try:
            while (body := self._frames.pop()) is not None:
                self._bodies.append(body)
        except FormatError as error:
            self._damaged = str(error)
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._news.set()
