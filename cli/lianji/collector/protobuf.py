"""Bodies of OTLP in protobuf, as OTLP/JSON. That is protobuf's own JSON with two exceptions: ids are hex, enumerations are numbers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class UnreadableBodyError(Exception):
    """A body is not what its Content-Type says. The text says what is wrong, without the content."""


def as_json(body: bytes) -> bytes:
    """An ExportTraceServiceRequest; raises UnreadableBodyError."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise UnreadableBodyError("is not an ExportTraceServiceRequest of OTLP") from None
    said: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)
    for row in _rows_with_ids(said):
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in row:
                row[name] = base64.b64decode(row[name]).hex()
    return msgspec.json.encode(said)


def _rows_with_ids(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in said.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield span
                yield from span.get("links", ())
