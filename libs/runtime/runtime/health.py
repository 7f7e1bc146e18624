"""`/healthz` (the process lives), `/readyz` (it can do its work) and further pages, over a few lines of HTTP/1.1."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from runtime import logs

log = logs.get("health")

Check = Callable[[], Awaitable[str]]
"""Empty when all is well, otherwise one line that says what is not."""

Page = Callable[[str], Awaitable[tuple[str, bytes]]]
"""Takes the Accept header, gives content type and body."""

TIMEOUT_S = 5.0
FRESH_S = 10.0
"""How old a report may be for the metrics: a check may cost an append, and nobody looks at them more closely than that."""
HEADERS = 100
"""Lines of a request that are read; more is nobody's honest question."""


class Health:
    """The checks of one process and the port that answers for them."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._pages: dict[bytes, Page] = {}
        self._rows: dict[str, str] = {}
        self._reported_s = -FRESH_S
        self._reporting: asyncio.Task[None] | None = None
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

    def page(self, path: str, make: Page) -> None:
        """Adds a page."""
        self._pages[path.encode()] = make

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Whether all is well, and for each check what it says, empty when it holds."""
        says = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        self._rows, self._reported_s = dict(zip(self._checks, says, strict=True)), time.monotonic()
        return not any(says), self._rows

    async def _ask(self, check: Check) -> str:
        try:
            return await asyncio.wait_for(check(), TIMEOUT_S)
        except TimeoutError:
            return f"no result within {TIMEOUT_S:g} s"

    async def refresh(self) -> None:
        """Returns once there is a report not older than FRESH_S. Whoever stops waiting does not stop it: the next one finds what it says."""
        if self._reporting is None and time.monotonic() - self._reported_s >= FRESH_S:
            self._reporting = asyncio.create_task(self._report_anew())
        if self._reporting is not None:
            await asyncio.shield(self._reporting)

    async def _report_anew(self) -> None:
        try:
            await self.report()
        finally:
            self._reporting = None

    def last(self) -> list[tuple[tuple[str], float]]:
        """Each check with 1 when it held the last time, else 0."""
        return [((name,), 0.0 if says else 1.0) for name, says in self._rows.items()]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path, accept = await asyncio.wait_for(_question(reader), TIMEOUT_S)
            status, content_type, body = await self._answer(path, accept)
            writer.write(
                b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                % (status, content_type.encode(), len(body), body)
            )
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return  # the asker is slow, gone, or speaks no HTTP: it gets nothing, and nothing else is disturbed
        finally:
            writer.close()

    async def _answer(self, path: bytes, accept: str) -> tuple[bytes, str, bytes]:
        """Status, content type, body."""
        if path in self._pages:
            try:
                return b"200 OK", *await self._pages[path](accept)
            except Exception as error:  # a bug costs this answer, and its words go to the log
                log.error("a page could not be made", path=path.decode(), exc_info=error)
                return _rows(b"500 Internal Server Error", {"page": "could not be made; the log says more"})
        if path == b"/healthz":
            return _rows(b"200 OK", {"alive": ""})
        if path == b"/readyz":
            ready, rows = await self.report()
            return _rows(b"200 OK" if ready else b"503 Service Unavailable", rows)
        known = " or ".join(["/healthz", "/readyz", *(name.decode() for name in self._pages)])
        return _rows(b"404 Not Found", {"path": f"take {known}"})


async def _question(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """Path and Accept header of a request; the path is empty when it speaks no HTTP."""
    line, accept = await reader.readline(), ""
    for _ in range(HEADERS):
        name, colon, value = (await reader.readline()).partition(b":")
        if not colon:
            break
        if name.strip().lower() == b"accept":
            accept = value.decode("latin-1").strip()
    return (line.split(b" ")[1] if line.count(b" ") == 2 else b""), accept


def _rows(status: bytes, rows: dict[str, str]) -> tuple[bytes, str, bytes]:
    text = msgspec.json.encode({name: row or "ok" for name, row in rows.items()}) + b"\n"
    return status, "application/json", text
