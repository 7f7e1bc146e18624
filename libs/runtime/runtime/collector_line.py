"""The line to a collector: OTLP bodies posted over HTTP, from a thread of its own.

A daemon: a collector that takes a connection and then says nothing holds up neither the event loop nor the end of the process.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import ssl
import threading
from enum import Enum
from queue import SimpleQueue
from typing import NamedTuple
from urllib.parse import urlsplit

from runtime.otel_environment import Endpoint

USER_AGENT = "Lianji-OTLP/0.1"
RETRYABLE = frozenset({429, 502, 503, 504})
"""OTLP specification, OTLP/HTTP response: for these, and when there is no response, the same body may be sent again."""
LONGEST_ANSWER_BYTES = 64 * 1024


class Fate(Enum):
    """What became of a body."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The collector does not want it, now or later."""
    AGAIN = "again"
    """Nobody took it, or nobody knows."""


class Answer(NamedTuple):
    fate: Fate
    reason: str = ""
    """A status or the name of an error."""
    pause_s: float = 0.0
    """What the collector asks for before the next try."""


class _Post(NamedTuple):
    body: bytes
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Answer]


class CollectorLine:
    """One kept connection. One body at a time: `post` again when the answer is there."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._posts: SimpleQueue[_Post | None] = SimpleQueue()
        self._connection: http.client.HTTPConnection | None = None
        parts = urlsplit(endpoint.url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._thread: threading.Thread | None = None

    def post(self, body: bytes) -> asyncio.Future[Answer]:
        """Sends a body of OTLP/JSON; the future has what became of it. It may be cancelled, and then nobody knows."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()
        self._posts.put(_Post(body, loop, done))
        return done

    def close(self) -> None:
        """Hangs up when what is in hand is done. Is not waited for."""
        self._posts.put(None)

    def _run(self) -> None:
        while (post := self._posts.get()) is not None:
            answer = self._send(post.body)
            try:
                post.loop.call_soon_threadsafe(_conclude, post.done, answer)
            except RuntimeError:  # the loop has been closed: nobody waits any more
                break
        self._hang_up()

    def _send(self, body: bytes) -> Answer:
        if self._endpoint.gzip:
            body = gzip.compress(body, 1)
        kept = self._connection is not None
        try:
            return self._exchange(body)
        except (ConnectionError, http.client.RemoteDisconnected):
            self._hang_up()
            if not kept:
                return Answer(Fate.AGAIN, "not connected")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._hang_up()
            return Answer(Fate.AGAIN, type(error).__name__)
        # The collector had closed the connection that was kept: it may have been started again since.
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._hang_up()
            return Answer(Fate.AGAIN, type(error).__name__)

    def _exchange(self, body: bytes) -> Answer:
        connection = self._connection = self._connection or self._connect()
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, **self._endpoint.headers}
        if self._endpoint.gzip:
            headers["Content-Encoding"] = "gzip"
        connection.request("POST", self._path, body, headers)
        response = connection.getresponse()
        response.read(LONGEST_ANSWER_BYTES)
        if not response.isclosed():  # a longer answer than anybody needs: the rest would be taken for the next one
            self._hang_up()
        if 200 <= response.status < 300:
            return Answer(Fate.TAKEN)
        wait = response.headers.get("Retry-After", "")
        pause_s = float(wait) if wait.isascii() and wait.isdigit() else 0.0
        return Answer(Fate.AGAIN if response.status in RETRYABLE else Fate.REFUSED, f"HTTP {response.status}", pause_s)

    def _connect(self) -> http.client.HTTPConnection:
        parts, timeout_s = urlsplit(self._endpoint.url), self._endpoint.timeout_s
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._endpoint.ca_file or None)
            return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _conclude(done: asyncio.Future[Answer], answer: Answer) -> None:
    if not done.done():
        done.set_result(answer)
