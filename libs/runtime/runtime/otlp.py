"""Spans as OTLP/JSON (opentelemetry-proto, JSON mapping).

Typed structs that msgspec encodes in one go: building them is what costs, about 1.2 µs of 1.5 a span here; text put together by hand
cost 1.9 (ADR 0017). What is constant at a place in the code (Shape) is encoded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from opentelemetry.sdk.resources import Resource

from runtime.masking import SHORTEST_PAN, mask
from runtime.tracing import Attribute, Shape, Span

_encode = msgspec.json.Encoder().encode


class _Value(msgspec.Struct, omit_defaults=True):
    """AnyValue of common.proto; 64-bit numbers are text in JSON."""

    stringValue: str | None = None  # noqa: N815 - the names are OTLP's
    intValue: str | None = None  # noqa: N815
    doubleValue: float | None = None  # noqa: N815
    boolValue: bool | None = None  # noqa: N815


class _KeyValue(msgspec.Struct):
    key: str
    value: _Value


class _Link(msgspec.Struct):
    traceId: str  # noqa: N815
    spanId: str  # noqa: N815


class _Status(msgspec.Struct):
    message: str
    code: int = 2
    """STATUS_CODE_ERROR."""


class OtlpSpan(msgspec.Struct, omit_defaults=True):
    """Span of trace.proto."""

    traceId: str  # noqa: N815
    spanId: str  # noqa: N815
    parentSpanId: str  # noqa: N815
    name: str
    kind: int
    startTimeUnixNano: str  # noqa: N815
    endTimeUnixNano: str  # noqa: N815
    attributes: list[_KeyValue | msgspec.Raw]
    links: list[_Link] = []
    status: _Status | None = None
    traceState: str = ""  # noqa: N815


_constants: dict[Shape, list[_KeyValue | msgspec.Raw]] = {}
"""The attributes of each shape."""
_SHAPES = 1024
"""Shapes are constants of the code, and few. Who makes them up as they go must not fill the memory."""


def span_of(span: Span) -> OtlpSpan:
    """A span as OTLP has it; what text it holds is masked."""
    shape, local, parent = span.shape, span.local, span.parent_id
    constant = _constants.get(shape)
    if constant is None:
        constant = _constants_of(shape)
    row = OtlpSpan(
        local.trace_id,
        "%016x" % span.span_id,  # noqa: UP031 - here and below: half the price of the others
        "%016x" % parent if isinstance(parent, int) else parent,  # noqa: UP031
        shape.name,
        shape.kind,
        str(span.start_ns),
        str(span.end_ns),
        constant + _attributes(span.attributes) if span.attributes else constant,
    )
    if span.links:
        row.links = [_Link(context.trace_id, context.span_id) for context in span.links]
    if span.error_text:
        row.status = _Status(mask(span.error_text))
    if local.state:
        row.traceState = mask(local.state)
    return row


def encode(resource: Resource, spans: Sequence[OtlpSpan]) -> bytes:
    """One ExportTraceServiceRequest."""
    known = {key: value for key, value in resource.attributes.items() if isinstance(value, str | int | float | bool)}
    scope = {"scope": {"name": "lianji"}, "spans": spans}
    return _encode({"resourceSpans": [{"resource": {"attributes": _attributes(known)}, "scopeSpans": [scope]}]})


def _constants_of(shape: Shape) -> list[_KeyValue | msgspec.Raw]:
    encoded: list[_KeyValue | msgspec.Raw] = [msgspec.Raw(_encode(row)) for row in _attributes(shape.attributes)]
    if len(_constants) < _SHAPES:
        _constants[shape] = encoded
    return encoded


_recurring: dict[str, dict[Attribute, msgspec.Raw]] = {}
"""Attributes of few values, encoded: by key, then by value."""
_VALUES = 256
"""Of one key; what has more is told anew each time, as is what is no text."""


def _attributes(attributes: Mapping[str, Attribute]) -> list[_KeyValue | msgspec.Raw]:
    rows: list[_KeyValue | msgspec.Raw] = []
    for key, value in attributes.items():
        if type(value) is not str:
            rows.append(_whole(key, value) if type(value) is int else _KeyValue(key, _value(value)))
            continue
        known = _recurring.get(key)
        row = known.get(value) if known is not None else None
        rows.append(row if row is not None else _remembered(key, value))
    return rows


_wholes: dict[str, str] = {}
"""What stands before a whole number, by key."""


def _whole(key: str, value: int) -> msgspec.Raw:
    """An attribute that is a whole number, by hand: half of what the structs for it cost."""
    before = _wholes.get(key)
    if before is None:
        before = f'{{"key":{_encode(key).decode()},"value":{{"intValue":"'
        if len(_wholes) < _VALUES:
            _wholes[key] = before
    return msgspec.Raw(f'{before}{value}"}}}}')


def _remembered(key: str, value: str) -> _KeyValue | msgspec.Raw:
    row = _KeyValue(key, _value(value))
    if (known := _recurring.get(key)) is None:
        if len(_recurring) >= _VALUES:
            return row
        known = _recurring[key] = {}
    if len(known) < _VALUES:
        known[value] = msgspec.Raw(_encode(row))
    return row


def _value(value: Attribute) -> _Value:
    if isinstance(value, str):
        # Short words without any separator cannot hold what is masked: they need no look.
        return _Value(value if len(value) < SHORTEST_PAN and value.isalnum() else mask(value))
    if isinstance(value, bool):
        return _Value(boolValue=value)
    if isinstance(value, int):
        return _Value(intValue=str(value))
    return _Value(doubleValue=value)
