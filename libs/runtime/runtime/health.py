"""`/healthz` (the process lives) and `/readyz` (it can do its work) over a few lines of HTTP/1.1."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

Check = Callable[[], Awaitable[str]]
"""Empty when all is well, otherwise one line that says what is not."""

TIMEOUT_S = 5.0


class Health:
    """The checks of one process and the port that answers for them."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    def check(self, name: str, check: Check) -> None:
        """Adds a readiness check."""
        self._checks[name] = check

    async def start(self, host: str, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def report(self) -> tuple[bool, dict[str, str]]:
        rows = {}
        for name, check in self._checks.items():
            try:
                rows[name] = await asyncio.wait_for(check(), TIMEOUT_S)
            except TimeoutError:
                rows[name] = f"no result within {TIMEOUT_S:g} s"
        return not any(rows.values()), rows

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), TIMEOUT_S)
            path = line.split(b" ")[1] if line.count(b" ") == 2 else b""
            if path == b"/healthz":
                status, body = b"200 OK", {"alive": ""}
            elif path == b"/readyz":
                ready, body = await self.report()
                status = b"200 OK" if ready else b"503 Service Unavailable"
            else:
                status, body = b"404 Not Found", {"path": "take /healthz or /readyz"}
            text = msgspec.json.encode({name: row or "ok" for name, row in body.items()}) + b"\n"
            writer.write(
                b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                % (status, len(text), text)
            )
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # the asker is slow, gone, or speaks no HTTP: it gets nothing, and nothing else is disturbed
        finally:
            writer.close()
