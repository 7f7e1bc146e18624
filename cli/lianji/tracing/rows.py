"""Spans of OTLP/JSON (opentelemetry-proto, JSON mapping) as rows, whoever has written them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec


class SpanRow(NamedTuple):
    """One span of a trace."""

    service: str
    trace_id: str
    name: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, str]
    error: str
    links: tuple[str, ...] = ()
    """Traces that it leads to."""

    @property
    def duration_us(self) -> float:
        return (self.end_ns - self.start_ns) / 1000


class _Value(msgspec.Struct):
    stringValue: str = ""  # noqa: N815 - the names are OTLP's
    intValue: str | int = ""  # noqa: N815
    doubleValue: float | str | None = None  # noqa: N815
    boolValue: bool | None = None  # noqa: N815

    def text(self) -> str:
        if self.doubleValue is not None:
            return str(self.doubleValue)
        if self.boolValue is not None:
            return str(self.boolValue).lower()
        return self.stringValue or str(self.intValue)


class _Attribute(msgspec.Struct):
    key: str
    value: _Value = msgspec.field(default_factory=_Value)


class _Status(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Link(msgspec.Struct):
    traceId: str  # noqa: N815


class _Span(msgspec.Struct):
    traceId: str  # noqa: N815
    spanId: str  # noqa: N815
    startTimeUnixNano: str | int  # noqa: N815
    endTimeUnixNano: str | int  # noqa: N815
    name: str = ""
    parentSpanId: str = ""  # noqa: N815
    attributes: list[_Attribute] = []
    links: list[_Link] = []
    status: _Status = _Status()


class _Scope(msgspec.Struct):
    spans: list[_Span] = []


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] = []


class _ResourceSpans(msgspec.Struct):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scopeSpans: list[_Scope] = []  # noqa: N815


class _Export(msgspec.Struct):
    resourceSpans: list[_ResourceSpans] = []  # noqa: N815


_decode = msgspec.json.Decoder(_Export).decode
ERROR = 2
"""STATUS_CODE_ERROR."""


def check_export(body: bytes) -> None:
    """Raises msgspec.MsgspecError, which names the place, for what is no ExportTraceServiceRequest in OTLP/JSON."""
    for _ in rows_of(body):
        pass


def rows_of(body: bytes) -> Iterator[SpanRow]:
    """The spans of one body; raises msgspec.MsgspecError."""
    for resource in _decode(body).resourceSpans:
        service = next((a.value.text() for a in resource.resource.attributes if a.key == "service.name"), "?")
        for scope in resource.scopeSpans:
            yield from (_row(service, span) for span in scope.spans)


def _row(service: str, span: _Span) -> SpanRow:
    try:
        start_ns, end_ns = int(span.startTimeUnixNano), int(span.endTimeUnixNano)
        identity = int(span.traceId, 16), int(span.spanId, 16), int(span.parentSpanId or "0", 16)
    except ValueError:
        raise msgspec.ValidationError("a span's ids must be hex, its times whole numbers") from None
    if not identity[0] or not identity[1]:
        raise msgspec.ValidationError("a span's ids must not be zero")
    return SpanRow(
        service=service,
        trace_id=span.traceId.lower(),
        name=span.name,
        span_id=span.spanId.lower(),
        parent_id=span.parentSpanId.lower() if identity[2] else "",
        start_ns=start_ns,
        end_ns=end_ns,
        attributes={a.key: a.value.text() for a in span.attributes},
        error=(span.status.message or "error") if span.status.code == ERROR else "",
        links=tuple(link.traceId.lower() for link in span.links),
    )
