"""One terminal's connection: frames in, answers out, one request in flight.

What a peer does wrong costs it its own connection and a line in the log that names the field, nothing else. A message that is left
without an answer closes the connection too: the terminal learns at once that none will come.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import iso8583
from iso8583 import FormatError, Message
from runtime import logs
from runtime.clock import monotonic_s
from runtime.deadline import NEVER, Deadline
from terminal_gw.requests import Ingress

if TYPE_CHECKING:
    from terminal_gw.listener import Limits
    from terminal_gw.pipeline import Received

log = logs.get("connection")


class Receiver(Protocol):
    """The pipeline, as a connection sees it."""

    async def receive(self, body: bytes, ingress: Ingress) -> Received: ...

    async def handle(self, message: Message, body: bytes, ingress: Ingress) -> bytes | None: ...


class House(Protocol):
    """The listener, as a connection sees it."""

    @property
    def receiver(self) -> Receiver: ...

    def admit(self, connection: Connection, address: str) -> bool: ...

    def gone(self, connection: Connection, address: str) -> None: ...


class Connection(asyncio.Protocol):
    """States: waiting (idle timer runs), reading a frame (frame timer runs), answering (a task runs), closing."""

    def __init__(self, house: House, limits: Limits) -> None:
        self._house = house
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._frames = iso8583.FrameReader()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._deadline = Deadline(self._loop, self._expired)
        self._admitted = self._closing = self._lost = self._timing_frame = self._leaving = False
        self._address = self._peer = ""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._enter(transport.get_extra_info("peername") or ("", 0)):
            self._start_timer()
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._frames.push(data)
        self._next_frame()

    def eof_received(self) -> bool:
        """A peer that says no more still gets the answer to what it asked: True keeps our side open."""
        if self._task is None:
            return False
        self._closing = True
        return True

    def pause_writing(self) -> None:
        log.warning("connection closed: the peer does not read its answers", peer=self._peer)
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = self._closing = True
        self._deadline.end()
        if self._task is None:
            self._leave()  # otherwise when the request in flight is done: its outcome matters to the journal, not to this socket

    # What the listener asks for

    def leave(self, quiet_s: float) -> None:
        """Serves on until the next answer has gone out, or until nothing has come for `quiet_s` seconds; then it closes.

        Closed right behind an answer, the line is not in the middle of a request: a terminal that has just been answered does not send.
        """
        self._leaving = True
        if self._task is None:
            self._timing_frame = False
            self._deadline.move_by(quiet_s)

    def finish(self) -> None:
        """Takes nothing more; closes once what is in flight has been answered."""
        self._closing = True
        if self._task is None:
            self._close()

    def abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    # Frames

    def _next_frame(self) -> None:
        try:
            body = self._frames.pop()
        except FormatError as error:
            self._violation("frame refused, the connection is closed", error.field, error.reason)
            return
        if body is None:
            self._start_timer()
        elif self._task is not None:
            self._violation(
                "second message while one is in flight, the connection is closed", "length", "one at a time"
            )
        else:
            self._deadline.take_back()
            self._task = self._loop.create_task(self._answer(body, monotonic_s()))
            if self._frames.partial:
                self._next_frame()

    def _violation(self, event: str, field: str, reason: str) -> None:
        """What is in flight is still answered; then, or at once, the connection is closed."""
        log.warning(event, field=field, reason=reason, peer=self._peer)
        self.finish()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    async def _answer(self, body: bytes, came_s: float) -> None:
        try:
            answer = await self._answer_to(body, Ingress("tcp", self._peer, None, came_s))
        except Exception as error:  # the edge: a bug costs this connection, its text goes to the log and nowhere else
            log.error("message could not be handled", peer=self._peer, error=type(error).__name__, exc_info=True)
            self._task = None
            self.abort()
            if self._lost:
                self._leave()
            return
        self._conclude(None if answer is None else iso8583.frame(answer))

    async def _answer_to(self, body: bytes, ingress: Ingress) -> bytes | None:
        return (await self._house.receiver.receive(body, ingress)).answer

    def _conclude(self, answer: bytes | None) -> None:
        """The end of the request in flight: its answer's frame goes out; without one, or when it was the last, the connection is closed."""
        self._task = None
        if self._lost:
            log.warning("the connection was lost before the answer", peer=self._peer)
            self._leave()
            return
        if answer is not None and self._transport is not None:
            self._transport.write(answer)
        if self._closing or self._leaving or answer is None:
            self.finish()
        else:
            self._start_timer()

    # Timers

    def _start_timer(self) -> None:
        """The frame's when one has begun, else the connection's. A frame's is not started again by its next bytes, only by its end."""
        partial = self._frames.partial
        if self._task is not None or (partial and self._timing_frame and self._deadline.due != NEVER):
            return
        if self._leaving and not partial:
            return  # its time is set
        self._timing_frame = partial
        self._deadline.move_by(self._limits.frame_timeout_s if partial else self._limits.idle_timeout_s)

    def _expired(self) -> None:
        if self._timing_frame:
            seconds = self._limits.frame_timeout_s
            self._violation("frame refused, the connection is closed", "length", f"not whole after {seconds:g} s")
        else:
            if not self._leaving:
                log.info("idle connection closed", peer=self._peer, seconds=self._limits.idle_timeout_s)
            self.finish()

    def _close(self) -> None:
        self._deadline.end()
        if self._transport is not None:
            self._transport.close()

    def _enter(self, peer: tuple[str, int]) -> bool:
        """Takes a place under the caps; False, and closing, when there is none."""
        self._address, self._peer = str(peer[0]), f"{peer[0]}:{peer[1]}"
        self._admitted = self._house.admit(self, self._address)
        self._closing = not self._admitted
        return self._admitted

    def _leave(self) -> None:
        if self._admitted:
            self._admitted = False
            self._house.gone(self, self._address)
