"""A terminal's line: one TCP or TLS connection with 2-byte length frames, one request in flight.

LinkError           nothing was sent
└── LinkLostError   something was sent and no answer will come: the outcome is unknown
"""

from __future__ import annotations

import asyncio
import select
import ssl
from pathlib import Path
from typing import cast

from iso8583 import FormatError, FrameReader, frame
from terminal_sim.dialling import Dialler
from terminal_sim.shaped import Shape

DEFAULT_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP) | select.POLLHUP | select.POLLERR
"""Of poll(2): the peer has closed its sending direction (Linux), or the connection is gone."""


def tls_context(
    ca: str | Path, *, certificate: str | Path | None = None, key: str | Path | None = None
) -> ssl.SSLContext:
    """TLS to a host whose certificate `ca` has signed; with the terminal's own certificate (and key, when that is in another file) for mutual TLS.

    All are PEM files. OSError when one cannot be read, ssl.SSLError among them.
    """
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


class LinkError(Exception):
    """The host cannot be reached; nothing was sent."""


class LinkLostError(LinkError):
    """The line broke, or was silent for too long, after something was sent."""


class _Line(asyncio.Protocol):
    """One connection: cuts what arrives into bodies and hands each to whoever waits. What nobody waits for is dropped."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[bytes] | None = None
        self.drop_answer = False
        self._reader = FrameReader()
        self._looking: select.poll | None = None
        """At the socket; None for a line that is none (a simulated one), which has told the loop all that it knows."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        socket = transport.get_extra_info("socket")
        if socket is not None:
            self._looking = select.poll()
            self._looking.register(socket.fileno(), _HUNG_UP)

    def data_received(self, data: bytes) -> None:
        self._reader.push(data)
        try:
            while (body := self._reader.pop()) is not None:
                self._deliver(body)
        except FormatError as error:
            self.fail(f"the host sent a frame that cannot be: {error}")

    def _deliver(self, body: bytes) -> None:
        if self.drop_answer:
            self.fail("the line broke before the answer arrived (on purpose)")
        elif self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail("the line broke" if exc is None else f"the line broke: {exc}")

    def stands(self) -> bool:
        """Whether the host has not hung up, also when the loop has not come to it yet: a sale must not go into a line that is gone."""
        if self.transport is None:
            return False
        if self._looking is not None and self._looking.poll(0):
            self.fail("the host has hung up")
            return False
        return True

    def fail(self, reason: str) -> None:
        """Ends the line; whoever waits is told."""
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.abort()
        self.disappoint(reason)

    def disappoint(self, reason: str) -> None:
        """Whoever waits learns that no answer comes."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(LinkLostError(reason))


class Link:
    """A terminal's way to its host, over TLS when it has a context for it, and as bad as its shape when it has one. Connects when asked to,
    again after a loss; not for two tasks at once."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        shape: Shape | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.timeout_s = timeout_s
        self.drop_answers = 0
        """How many of the next answers are lost on purpose: each arrives, is thrown away, and the line breaks."""
        self.dialler = None if shape is None else Dialler(shape)
        """Who makes the lines that have a shape; None: they are the sockets' own."""
        self._line: _Line | None = None
        self._hang_up: asyncio.TimerHandle | None = None

    async def connect(self) -> bool:
        """Makes sure there is a line; whether it is a new one. LinkError when the host cannot be reached."""
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None
        if self._line is not None and self._line.stands():
            return False
        try:
            self._line = await self._new_line()
        except OSError as error:  # TimeoutError and ssl.SSLError are among them
            raise LinkError(f"{self.host}:{self.port} cannot be reached: {_why(error)}") from error
        return True

    async def _new_line(self) -> _Line:
        if self.dialler is not None:
            return await self.dialler.connect(
                _Line, self.host, self.port, tls=self.tls, reach_s=CONNECT_TIMEOUT_S, trust_s=self.timeout_s
            )
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, line = await asyncio.get_running_loop().create_connection(_Line, self.host, self.port, ssl=self.tls)
        return line

    async def connect_within(self, patience_s: float) -> None:
        """Tries again, with growing pauses, until there is a line; LinkError when the patience is used up."""
        loop = asyncio.get_running_loop()
        deadline, pause_s = loop.time() + patience_s, _FIRST_PAUSE_S
        while True:
            try:
                await self.connect()
                return
            except LinkError:
                if loop.time() + pause_s > deadline:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def send(self, body: bytes) -> asyncio.Future[bytes]:
        """Sends a body; the future is the next one that arrives, or LinkLostError."""
        line = self._line
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if line is None or line.transport is None:
            waiter.set_exception(LinkLostError("the line broke before the request left"))
            return waiter
        if self.drop_answers:
            self.drop_answers, line.drop_answer = self.drop_answers - 1, True
        line.waiter = waiter
        line.transport.write(frame(body))
        return waiter

    def next(self) -> asyncio.Future[bytes]:
        """Goes on waiting: what had arrived was no answer to the request."""
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self._line is None or self._line.transport is None:
            waiter.set_exception(LinkLostError("the line broke"))
        else:
            self._line.waiter = waiter
        return waiter

    def give_up(self) -> None:
        """Whoever waits for an answer waits no more; the line stays as it is."""
        if self._line is not None:
            self._line.disappoint("no answer in time")

    def close(self) -> None:
        """Ends the line, so that an answer that comes late meets nobody."""
        if self._line is not None:
            self._line.fail("the terminal closed the line")
            self._line = None

    def rest(self) -> None:
        """A transaction is over: a terminal that dials hangs up, now or after a while. Any other keeps its line."""
        if self.dialler is None or self._line is None or (keep_s := self.dialler.shape.keep_s) is None:
            return
        if not keep_s:
            self.close()
        elif self._hang_up is None:  # what used no line does not keep it for longer
            self._hang_up = asyncio.get_running_loop().call_later(keep_s, self.close)

    def shut(self) -> None:
        """Closes for good: also what the host still has of lines that ended without a word."""
        self.close()
        if self._hang_up is not None:
            self._hang_up.cancel()
        if self.dialler is not None:
            self.dialler.forget()


def _why(error: OSError) -> str:
    """What kept a line from being made, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or 'unknown reason').replace('_', ' ').lower()}"
    return str(error) or ("no answer" if isinstance(error, TimeoutError) else "it closed the line")
