"""The TLS door: connections that count from the moment they are accepted, before anything has been agreed.

asyncio's own TLS servers make a connection known when its handshake is done. Until then a peer would count nowhere; here it takes its
place under the caps first, and gives it back when the handshake fails or is not done in time.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import cast

from runtime import logs
from terminal_gw.connection import Connection
from terminal_gw.identity import NotTheHolder, holder_of, spoken_by
from terminal_gw.listener import BACKLOG, NOT_HANDED, Listener
from terminal_gw.requests import Ingress
from terminal_gw.tls import plain

log = logs.get("secure")

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_PAUSE_S = 1.0
"""As long as asyncio's own servers wait before they accept again."""


class SecureDoor:
    """A second listening socket of a listener, for TLS; under mutual TLS each connection speaks for one terminal."""

    def __init__(self, listener: Listener, context: ssl.SSLContext) -> None:
        self._listener = listener
        self._context = context
        self._socket: socket.socket | None = None

    async def open(self, host: str, port: int, *, handed: int = NOT_HANDED) -> int:
        """Listens, on the socket `handed` over where there is one; returns the port taken. Connections are taken in by `run`."""
        if handed == NOT_HANDED:
            self._socket = await self._bound(host, port)
        else:
            self._socket = socket.socket(fileno=os.dup(handed))
            self._socket.listen(BACKLOG)
        self._socket.setblocking(False)
        taken: int = self._socket.getsockname()[1]
        return taken

    async def _bound(self, host: str, port: int) -> socket.socket:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)

    async def run(self) -> None:
        """Accepts until cancelled."""
        if self._socket is None:
            raise RuntimeError("the door is not open")
        with self._socket as listening:
            loop = asyncio.get_running_loop()
            while True:
                try:
                    accepted, peer = await loop.sock_accept(listening)
                except ConnectionError:
                    continue  # gone before it was accepted
                except OSError as error:
                    if error.errno not in _EXHAUSTED:
                        raise
                    log.error("no connection can be accepted now", reason=error.strerror)
                    await asyncio.sleep(_EXHAUSTED_PAUSE_S)
                    continue
                SecureConnection(self._listener, self._context).take(accepted, peer)
                await asyncio.sleep(0)  # a full backlog must not keep the loop from those who are in


class SecureConnection(Connection):
    """One more state before the others: shaking hands (a task runs, TLS has its own timer)."""

    def __init__(self, listener: Listener, context: ssl.SSLContext) -> None:
        super().__init__(listener, listener.limits)
        self._context = context
        self._accepted: socket.socket | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._mutual = context.verify_mode is ssl.CERT_REQUIRED
        self._holder = ""
        """The terminal that the connection speaks for, under mutual TLS."""

    def take(self, accepted: socket.socket, peer: tuple[str, int]) -> None:
        """Counts the connection and begins the handshake, or closes it when there is no room."""
        if not self._enter(peer):
            accepted.close()
            return
        self._accepted = accepted
        self._handshake = self._loop.create_task(self._shake_hands(accepted))
        self._handshake.add_done_callback(self._shaken)

    async def _shake_hands(self, accepted: socket.socket) -> None:
        seconds = self._limits.handshake_timeout_s
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._loop.connect_accepted_socket(
                lambda: self,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=seconds,
            )
        except OSError as error:
            reason = f"not done after {seconds:g} s" if isinstance(error, ConnectionAbortedError) else plain(error)
            log.warning(
                "TLS handshake failed, the connection is closed", field="handshake", reason=reason, peer=self._peer
            )

    def _shaken(self, task: asyncio.Task[None]) -> None:
        """However it ended, also when it was cancelled before its first step."""
        if self._transport is None:
            self._closing = True
            if self._accepted is not None:
                self._accepted.close()
            self._leave()
        self._accepted = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("handshake could not be handled", peer=self._peer, exc_info=error)

    # asyncio.Protocol: from here on all is encrypted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._mutual:
            self._holder = holder_of(transport.get_extra_info("peercert"))
            if not self._holder:
                self._violation(
                    "certificate refused, the connection is closed", "certificate", "has not one common name"
                )
                return
        self._start_timer()

    def eof_received(self) -> bool:
        """TLS here cannot stay open in one direction: a peer that says no more has left."""
        self._closing = True
        return False

    # What the listener asks for

    def leave(self, quiet_s: float) -> None:
        if not self._cancelled_handshake():
            super().leave(quiet_s)

    def finish(self) -> None:
        if not self._cancelled_handshake():
            super().finish()

    def abort(self) -> None:
        if not self._cancelled_handshake():
            super().abort()

    def _cancelled_handshake(self) -> bool:
        if self._transport is not None or self._handshake is None:
            return False
        self._handshake.cancel()
        return True

    # Frames

    async def _answer_to(self, body: bytes, ingress: Ingress) -> bytes | None:
        if not self._mutual:
            return await super()._answer_to(body, ingress)
        spoken = spoken_by(body, self._holder)
        if spoken is None:
            return await super()._answer_to(body, ingress)
        if not isinstance(spoken, NotTheHolder):
            return await self._house.receiver.handle(spoken, body, ingress)  # decoded once
        log.warning(
            "message of another terminal than the certificate's, the connection is closed",
            field="41",
            reason="is not the common name of the client's certificate",
            certificate=self._holder,
            mti=spoken.mti,
            terminal=spoken.terminal,
            stan=spoken.stan,
            response_code=spoken.response_code,
            peer=self._peer,
        )
        self._closing = True  # once it has been answered
        return spoken.answer
