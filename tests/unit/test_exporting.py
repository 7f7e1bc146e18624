"""Spans on their way to a collector that takes them, refuses them, dies and comes back; and over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from runtime import exporting, otel_environment
from runtime.collector_line import USER_AGENT, Answer, CollectorLine, Fate
from runtime.exporting import Exporter
from runtime.otel_environment import Endpoint
from runtime.tracing import Shape, Tracer

WORK = Shape("work")
TAKEN, REFUSED, AGAIN = Answer(Fate.TAKEN), Answer(Fate.REFUSED, "HTTP 400"), Answer(Fate.AGAIN, "not connected")
NOWHERE = Endpoint("", {}, 2.0, False, "")


def names(body: bytes) -> list[str]:
    """The ids of a body's spans."""
    (resource,) = msgspec.json.decode(body)["resourceSpans"]
    return [span["spanId"] for scope in resource["scopeSpans"] for span in scope["spans"]]


class ScriptedLine:
    """A line to a collector that answers as it is told, and from then on as it was told last."""

    def __init__(self, *answers: Answer | None) -> None:
        self.answers = list(answers)
        """None: it takes the connection and says nothing."""
        self.bodies: list[bytes] = []
        self.silent: asyncio.Future[Answer] | None = None
        self.closed = False

    def post(self, body: bytes) -> asyncio.Future[Answer]:
        self.bodies.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if answer is not None:
            future.set_result(answer)
        self.silent = future
        return future

    def close(self) -> None:
        self.closed = True


class Desk:
    """An exporter of a service that sells."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *answers: Answer | None, batch: int = 4, queue: int = 64
    ) -> None:
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(queue))
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(batch))
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
        monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
        monkeypatch.setattr(exporting, "FIRST_PAUSE_S", 0.001)
        monkeypatch.setattr(exporting, "LONGEST_PAUSE_S", 0.002)
        monkeypatch.setattr(exporting, "LAST_S", 0.05)
        self.line = ScriptedLine(*answers)
        monkeypatch.setattr(exporting, "CollectorLine", lambda _: self.line)
        self.tracer = Tracer("auth", "auth-a")
        self.exporter = Exporter(self.tracer, NOWHERE._replace(url="http://collector"))
        self.ids: list[str] = []

    def work(self, count: int) -> None:
        for _ in range(count):
            with self.tracer.span(WORK) as span:
                self.ids.append(span.context.span_id)

    @contextmanager
    def running(self) -> Iterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.exporter.run())
        try:
            yield task
        finally:
            task.cancel()

    async def stop(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_ended_is_sent_in_batches_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, TAKEN)
    desk.work(10)
    with desk.running():
        await until(lambda: desk.exporter.exported == 10)
    assert [len(names(body)) for body in desk.line.bodies] == [4, 4, 2]
    assert [name for body in desk.line.bodies for name in names(body)] == desk.ids


async def test_a_batch_that_nobody_took_is_sent_again_until_somebody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, AGAIN, AGAIN, TAKEN)
    desk.work(6)
    with desk.running():
        await until(lambda: desk.exporter.exported == 6)
    first, second, third, last = (names(body) for body in desk.line.bodies)
    assert first == second == third
    assert first + last == desk.ids
    assert desk.exporter.undelivered == 0


async def test_what_the_collector_refuses_is_counted_and_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, REFUSED, TAKEN)
    desk.work(6)
    with desk.running():
        await until(lambda: desk.exporter.exported == 2)
    assert desk.exporter.undelivered == 4
    assert names(desk.line.bodies[-1]) == desk.ids[4:]


async def test_a_span_that_cannot_be_encoded_costs_its_batch_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, TAKEN)
    with desk.tracer.span(WORK) as span:
        span.attributes["what"] = object()  # type: ignore[assignment]
    desk.work(5)
    with desk.running():
        await until(lambda: desk.exporter.exported == 2)
    assert desk.exporter.undelivered == 4
    assert [name for body in desk.line.bodies for name in names(body)] == desk.ids[3:]


async def test_a_dead_collector_costs_spans_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, AGAIN, queue=32)
    desk.work(8)
    with desk.running() as task:
        await until(lambda: len(desk.line.bodies) > 3)
        desk.work(1000)
        assert desk.tracer.queue.held <= 32
        await desk.stop(task)
    queue = desk.tracer.queue
    assert desk.line.closed
    assert desk.exporter.exported == 0
    assert desk.exporter.undelivered + queue.dropped.total() == queue.ended == 1008
    assert len(set(map(bytes, desk.line.bodies))) == 1, "one batch in hand, tried again and again"


async def test_a_drain_sends_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, TAKEN)
    with desk.running() as task:
        await asyncio.sleep(0)
        desk.work(9)
        await desk.stop(task)
    assert desk.exporter.exported == 9
    assert desk.line.closed


async def test_a_drain_is_not_held_up_by_a_collector_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, None)
    desk.work(6)
    with desk.running() as task:
        await until(lambda: desk.line.bodies)
        await desk.stop(task)
    assert task.done()
    assert len(desk.line.bodies) == 1, "the answer to it is awaited still: sent again it might be taken twice"
    assert desk.exporter.undelivered == 6


async def test_a_drain_that_meets_the_answer_sends_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, None, TAKEN)
    desk.work(6)
    with desk.running() as task:
        await until(lambda: desk.line.bodies)
        answer = desk.line.silent
        assert answer is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        asyncio.get_running_loop().call_later(0.001, answer.set_result, TAKEN)
        await asyncio.gather(task, return_exceptions=True)
    assert [name for body in desk.line.bodies for name in names(body)] == desk.ids
    assert (desk.exporter.exported, desk.exporter.undelivered) == (6, 0)


async def test_without_an_endpoint_nothing_is_kept() -> None:
    tracer = Tracer("auth", "auth-a")
    exporter = Exporter(tracer, NOWHERE)
    with tracer.span(WORK):
        pass
    await exporter.run()
    assert tracer.queue.held == 0
    assert not tracer.queue.dropped


# ------------------------------------------------------------------ the line


class Collector(ThreadingHTTPServer):
    """A real one, which answers with `statuses` in turn and from then on with the last."""

    daemon_threads = True

    def __init__(self, *statuses: int, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Posted)
        self.statuses = list(statuses) or [200]
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: list[Any] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def kill(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):  # the other end may have hung up
                connection.shutdown(socket.SHUT_RDWR)


class _Posted(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        return


async def test_the_line_posts_with_the_headers_of_the_environment() -> None:
    collector = Collector()
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret%20word,x=1",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    line = CollectorLine(otel_environment.endpoint("traces", environ))
    assert await line.post(b'{"resourceSpans":[]}') == TAKEN
    assert await line.post(b"{}") == TAKEN
    line.close()
    collector.kill()
    (path, headers, body), _ = collector.posts
    assert (path, gzip.decompress(body)) == ("/v1/traces", b'{"resourceSpans":[]}')
    assert headers["content-type"] == "application/json"
    assert (headers["api-key"], headers["x"], headers["user-agent"]) == ("secret word", "1", USER_AGENT)
    assert len(collector.connections) == 1, "one connection is kept"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, TAKEN),
        (400, REFUSED),
        (401, Answer(Fate.REFUSED, "HTTP 401", 7.0)),
        (429, Answer(Fate.AGAIN, "HTTP 429", 7.0)),
        (503, Answer(Fate.AGAIN, "HTTP 503", 7.0)),
    ],
)
async def test_what_a_status_means(status: int, answer: Answer) -> None:
    collector = Collector(status)
    line = CollectorLine(NOWHERE._replace(url=collector.url))
    found = await line.post(b"{}")
    assert (found.fate, found.reason) == (answer.fate, answer.reason)
    if answer.fate is Fate.AGAIN:
        assert found.pause_s == 7.0
    line.close()
    collector.kill()


async def test_a_collector_that_was_started_again_gets_the_next_body_at_once() -> None:
    collector = Collector()
    line = CollectorLine(NOWHERE._replace(url=collector.url))
    assert await line.post(b"{}") == TAKEN
    collector.kill()
    again = Collector(port=collector.server_port)
    assert await line.post(b'{"resourceSpans":[]}') == TAKEN
    again.kill()
    assert (await line.post(b"{}")).fate is Fate.AGAIN
    line.close()


# ------------------------------------------------------------------ the environment


def test_the_endpoint_of_a_signal_goes_before_that_of_all() -> None:
    base = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}
    assert otel_environment.endpoint("traces", base).url == "http://collector:4318/v1/traces"
    assert otel_environment.endpoint("metrics", base).url == "http://collector:4318/v1/metrics"
    own = base | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/x", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "150"}
    assert otel_environment.endpoint("traces", own)[:3] == ("https://t/x", {}, 0.15)
    assert otel_environment.endpoint("traces", {}).url == ""
    assert otel_environment.endpoint("traces", base | {"OTEL_TRACES_EXPORTER": "none"}).url == ""


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector", "http://", "http://collector:port"])
def test_an_endpoint_that_is_none_is_left_out(url: str) -> None:
    assert otel_environment.endpoint("traces", {"OTEL_EXPORTER_OTLP_ENDPOINT": url}).url == ""


@pytest.mark.parametrize(("text", "size"), [("", 16_384), ("5", 5), ("0", 16_384), ("-1", 16_384), ("many", 16_384)])
def test_a_number_that_cannot_be_read_is_left_out(text: str, size: int) -> None:
    assert otel_environment.queue_size({"OTEL_BSP_MAX_QUEUE_SIZE": text}) == size
