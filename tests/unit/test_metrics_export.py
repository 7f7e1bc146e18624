"""Metrics over OTLP: where the variables say so, read by OpenTelemetry's own messages, and a dead collector holds up nothing."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

import pytest
import structlog
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from runtime import catalogue
from runtime.metrics import Metrics
from runtime.metrics_export import MetricsExport, interval_s
from runtime.tracing import Tracer

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
OWN = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
PATIENCE_S = 60


class Collector(ThreadingHTTPServer):
    """Takes what is posted; `status` is what it answers."""

    def __init__(self) -> None:
        self.posted: Queue[tuple[str, str, bytes]] = Queue()
        self.status = 200
        super().__init__(("127.0.0.1", 0), Taker)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taker(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.put((self.path, self.headers.get("x-tenant", ""), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def export(interval: float) -> MetricsExport:
    told = Metrics()
    told.counter(catalogue.APPEND_UNKNOWN).of("journal.v1.0").add(3)
    return MetricsExport(told, Tracer("auth", "auth-a").resource, interval)


async def test_what_is_counted_arrives(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE, collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=lianji")
    exporting = export(0.01)
    path, tenant, body = await asyncio.to_thread(collector.posted.get, timeout=PATIENCE_S)
    await exporting.stop()
    assert (path, tenant) == ("/v1/metrics", "lianji")
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    (metric,) = resource.scope_metrics[0].metrics
    assert (metric.name, metric.sum.data_points[0].as_double) == ("lianji.append.unknown", 3)


async def test_the_last_numbers_are_sent_at_the_end(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN, f"{collector.url}/own")
    exporting = export(3600)
    await exporting.stop()
    path, _, _ = await asyncio.to_thread(collector.posted.get, timeout=PATIENCE_S)
    assert path == "/own"
    assert collector.posted.empty()


async def test_a_collector_that_says_no_is_mentioned_once_for_each_outage(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BASE, collector.url)
    collector.status = 400
    with structlog.testing.capture_logs() as lines:
        exporting = export(0.01)
        for _ in range(5):
            await asyncio.to_thread(collector.posted.get, timeout=PATIENCE_S)
        await exporting.stop()
    assert [(row["event"], row["log_level"]) for row in lines] == [
        ("metrics collector not reachable, metrics are not exported until it answers", "warning")
    ]


async def test_a_collector_that_never_answers_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(BASE, f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("runtime.metrics_export.HTTP_TIMEOUT_S", 0.05)
        await asyncio.wait_for(export(3600).stop(), PATIENCE_S)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({BASE: ""}, None),
        ({BASE: "http://c:4318"}, 60.0),
        ({OWN: "http://c:4318"}, 60.0),
        ({BASE: "http://c:4318", "OTEL_METRICS_EXPORTER": "none"}, None),
        ({BASE: "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, None),
        ({BASE: "http://c:4318", "OTEL_METRIC_EXPORT_INTERVAL": "500"}, 0.5),
        ({BASE: "http://c:4318", "OTEL_METRIC_EXPORT_INTERVAL": "0"}, 60.0),
        ({BASE: "http://c:4318", "OTEL_METRIC_EXPORT_INTERVAL": "often"}, 60.0),
    ],
)
def test_the_variables_mean_what_they_mean_to_opentelemetry(environ: dict[str, str], seconds: float | None) -> None:
    with structlog.testing.capture_logs() as lines:
        assert interval_s(environ) == seconds
    unreadable = environ.get("OTEL_METRIC_EXPORT_INTERVAL") in ("0", "often")
    assert [row["variable"] for row in lines] == ["OTEL_METRIC_EXPORT_INTERVAL"] * unreadable


def test_who_exports_nothing_does_not_load_the_exporter() -> None:
    look = "import sys, runtime.service; print([name for name in sys.modules if 'otlp.proto' in name or name == 'requests'])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
