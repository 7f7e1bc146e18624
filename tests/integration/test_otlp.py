"""Our export read by OpenTelemetry's own decoder, field by field; and the stock exporter's read by our collector and commands."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from lianji.app import run
from lianji.collector.door import Door
from lianji.collector.segments import Segments
from lianji.tracing.files import FOLDER
from runtime.exporting import Exporter
from runtime.otel_environment import endpoint
from runtime.trace_context import TraceContext
from runtime.tracing import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, Shape, Span, Tracer, message

ABOVE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", state="vendor=abc")
CLOSE = TraceContext("c" * 32, "d" * 16)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[str]:
    """Its URL; it keeps what comes under `tmp_path`."""
    with Door(0, Segments(tmp_path / FOLDER, 10_000_000)) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{door.server_port}"
        door.shutdown()
        thread.join()


def made(tracer: Tracer) -> list[Span]:
    """Spans with everything that a span of ours can have."""
    with tracer.span(Shape("receive frame", SERVER, {"lianji.ingress": "nats"}), parent=ABOVE) as root:
        root.set("lianji.rrn", "010000000042")
        with tracer.span(Shape("verify MAC"), parent=root):
            pass
        with tracer.span(message("send", "auth.v1.{shard}.authorize", CLIENT), parent=root) as asking:
            asking.set("lianji.shard", 3)
            asking.error("NoAnswer")
        with tracer.span(Shape("append", PRODUCER), parent=root) as append:
            append.attributes.update({"big": 2**53 + 1, "flag": False, "share": 0.25, "word": 'said "不"\n'})
    with tracer.span(Shape("batch closed", CONSUMER), parent=CLOSE) as closed:
        closed.links = (CLOSE, ABOVE)
    return tracer.take()


def as_said(value: AnyValue) -> object:
    return getattr(value, str(value.WhichOneof("value")))


def hexed(line: bytes) -> str:
    """OTLP/JSON as protobuf's own JSON, which differs from it in the ids alone: there they are base64."""
    said = json.loads(line)
    for resource in said["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for row in (span, *span.get("links", ())):
                    for name in {"traceId", "spanId", "parentSpanId"} & row.keys():
                        row[name] = base64.b64encode(bytes.fromhex(row[name])).decode()
    return json.dumps(said)


KINDS = {
    INTERNAL: trace_pb2.Span.SPAN_KIND_INTERNAL,
    SERVER: trace_pb2.Span.SPAN_KIND_SERVER,
    CLIENT: trace_pb2.Span.SPAN_KIND_CLIENT,
    PRODUCER: trace_pb2.Span.SPAN_KIND_PRODUCER,
    CONSUMER: trace_pb2.Span.SPAN_KIND_CONSUMER,
}


async def test_our_export_is_what_opentelemetrys_own_decoder_reads(collector: str, tmp_path: Path) -> None:
    tracer = Tracer("terminal-gw", "terminal-gw-1")
    spans = made(tracer)
    for span in spans:
        tracer.queue.put([span])
    exporter = Exporter(tracer, endpoint("traces", {"OTEL_EXPORTER_OTLP_ENDPOINT": collector}))
    exporting = asyncio.create_task(exporter.run())
    await asyncio.sleep(0)
    exporting.cancel()  # a drain: what is there is sent before the end
    await asyncio.gather(exporting, return_exceptions=True)
    assert exporter.exported == len(spans) == 5

    (path,) = (tmp_path / FOLDER).iterdir()
    (line,) = path.read_bytes().splitlines()
    request = Parse(hexed(line), ExportTraceServiceRequest())  # refuses fields that it does not know
    (resource,) = request.resource_spans
    said = {row.key: as_said(row.value) for row in resource.resource.attributes}
    assert (said["service.name"], said["service.instance.id"]) == ("terminal-gw", "terminal-gw-1")
    (scope,) = resource.scope_spans
    assert scope.scope.name == "lianji"
    assert len(scope.spans) == len(spans)
    recorded = {span.context.span_id: span for span in spans}
    for row in scope.spans:
        same(row, recorded.pop(row.span_id.hex()))
    assert not recorded


def same(row: trace_pb2.Span, span: Span) -> None:
    """Every field of the decoded span against the recorded one."""
    parent = span.parent_id if isinstance(span.parent_id, str) else f"{span.parent_id:016x}"
    assert row.trace_id.hex() == span.trace_id
    assert row.span_id.hex() == span.context.span_id
    assert row.parent_span_id.hex() == parent
    assert row.name == span.name
    assert row.kind == KINDS[span.shape.kind]
    assert (row.start_time_unix_nano, row.end_time_unix_nano) == (span.start_ns, span.end_ns)
    assert {a.key: as_said(a.value) for a in row.attributes} == {**span.shape.attributes, **span.attributes}
    assert len(row.attributes) == len(span.shape.attributes) + len(span.attributes)
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in row.links] == [link[:2] for link in span.links]
    assert row.trace_state == span.state
    expected = trace_pb2.Status.STATUS_CODE_ERROR if span.error_text else trace_pb2.Status.STATUS_CODE_UNSET
    assert (row.status.code, row.status.message) == (expected, span.error_text)


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_stock_exporter_is_understood(
    collector: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], compression: Compression
) -> None:
    """OpenTelemetry's own exporter sends protobuf."""
    provider = TracerProvider(resource=Resource.create({"service.name": "till"}))
    exporter = OTLPSpanExporter(endpoint=f"{collector}/v1/traces", compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("checkout")
    with tracer.start_as_current_span("earlier") as earlier:
        pass
    links = [Link(earlier.get_span_context())]
    with tracer.start_as_current_span("checkout", kind=SpanKind.CLIENT, links=links) as root:
        root.set_attributes({"lianji.terminal": "10000001", "items": 3, "paid": True, "discount": 0.5})
        with tracer.start_as_current_span("scan") as child:
            child.set_status(Status(StatusCode.ERROR, "no such product"))
    provider.shutdown()

    data = ["--data-dir", str(tmp_path), "--json"]
    assert run(["traces", *data, "--since", "10m"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(listed) == {"earlier", "checkout"}
    checkout = listed["checkout"]
    assert checkout["trace_id"] == f"{root.get_span_context().trace_id:032x}"
    assert (checkout["spans"], checkout["services"], checkout["terminal"]) == (2, ["till"], "10000001")
    assert abs(checkout["start_ns"] - time.time_ns()) < 600 * 1_000_000_000
    assert run(["traces", *data, "--check"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["traces"], counted["spans"], counted["orphans"]) == (2, 3, 0)

    (path,) = (tmp_path / FOLDER).iterdir()
    spans = [
        span
        for line in path.read_bytes().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    by_name = {span["name"]: span for span in spans}
    assert by_name["scan"]["parentSpanId"] == by_name["checkout"]["spanId"] == f"{root.get_span_context().span_id:016x}"
    assert by_name["scan"]["status"] == {"code": 2, "message": "no such product"}
    assert by_name["checkout"]["kind"] == 3
    assert by_name["checkout"]["links"][0]["traceId"] == by_name["earlier"]["traceId"]
    assert {a["key"]: a["value"] for a in by_name["checkout"]["attributes"]}["items"] == {"intValue": "3"}
