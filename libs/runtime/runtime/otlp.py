"""Export of spans as OTLP/JSON (opentelemetry-proto, JSON mapping): to files for the embedded stack, over HTTP to any collector."""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from runtime import logs
from runtime.masking import mask
from runtime.tracing import Attribute, Span, Tracer

log = logs.get("otlp")

FLUSH_S = 0.5
HTTP_TIMEOUT_S = 2.0  # a dead collector must not hold up a drain
FILE_LIMIT_BYTES = 64 * 1024 * 1024
"""A trace file that is larger is renamed to `.1`, replacing the one before it."""


def _value(value: Attribute) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": mask(value)}


def _attributes(attributes: dict[str, Attribute]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _span(span: Span) -> dict[str, Any]:
    row: dict[str, Any] = {
        "traceId": span.context.trace_id,
        "spanId": span.context.span_id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
    }
    if span.parent_id:
        row["parentSpanId"] = span.parent_id
    if span.attributes:
        row["attributes"] = _attributes(span.attributes)
    if span.links:
        row["links"] = [{"traceId": c.trace_id, "spanId": c.span_id} for c in span.links]
    if span.error_text:
        row["status"] = {"code": 2, "message": mask(span.error_text)}
    return row


def encode(tracer: Tracer, spans: list[Span]) -> bytes:
    """One ExportTraceServiceRequest."""
    resource = {
        key: value for key, value in tracer.resource.attributes.items() if isinstance(value, str | int | float | bool)
    }
    return msgspec.json.encode(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeSpans": [{"scope": {"name": "lianji"}, "spans": [_span(s) for s in spans]}],
                }
            ]
        }
    )


def http_endpoint() -> str:
    """Where `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` say traces go; empty: nowhere."""
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return ""
    traces = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    return traces or (base.rstrip("/") + "/v1/traces" if base else "")


class Exporter:
    """Takes what the tracer kept, every FLUSH_S, and writes it off the path. What cannot be delivered is counted and dropped."""

    def __init__(self, tracer: Tracer, instance: str, trace_dir: str) -> None:
        self._tracer = tracer
        self._file = Path(trace_dir) / f"{instance}.jsonl" if trace_dir else None
        self._endpoint = http_endpoint()
        self._reachable = True
        self.exported = self.undelivered = 0

    async def run(self) -> None:
        """Flushes until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        spans = self._tracer.take()
        if not spans or (self._file is None and not self._endpoint):
            return
        # Encoding in slices keeps any one pause of the event loop below a few milliseconds.
        for start in range(0, len(spans), 200):
            body = encode(self._tracer, spans[start : start + 200])
            await asyncio.to_thread(self._write, body, len(spans[start : start + 200]))

    def _write(self, body: bytes, count: int) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self._file.exists() and self._file.stat().st_size > FILE_LIMIT_BYTES:
                self._file.replace(self._file.with_suffix(".jsonl.1"))
            with self._file.open("ab") as out:
                out.write(body + b"\n")
            self.exported += count
        if self._endpoint:
            self._post(body, count)

    def _post(self, body: bytes, count: int) -> None:
        request = urllib.request.Request(  # noqa: S310 - the endpoint is the operator's own setting
            self._endpoint, data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S):  # noqa: S310
                pass
        except (urllib.error.URLError, OSError) as error:
            self.undelivered += count
            if self._reachable:
                log.warning(
                    "trace collector not reachable, spans are dropped",
                    endpoint=self._endpoint,
                    error=type(error).__name__,
                )
            self._reachable = False
        else:
            self._reachable = True
