"""Spans, recorded next to free.

The OpenTelemetry SDK stays the face: resource, sampler and ids come from it, and `OTEL_*` variables mean what they mean there.
Spans themselves are recorded here, for seven stock SDK spans cost a swipe about 1,200 µs of CPU. What makes these cheap: what is constant
at a place in the code is said once (Shape), ids stay numbers until they are written, and nothing is encoded on the path.
Parents are passed explicitly: a handler knows whose work it does, and no context variable has to follow it through queues.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import msgspec
from opentelemetry import trace as api
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import sampling

from runtime import otel_environment
from runtime.span_queue import SpanQueue
from runtime.trace_context import TraceContext

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
"""SpanKind of opentelemetry-proto trace.proto."""

Attribute = str | int | float | bool

LOCAL_SPANS = 256
"""Spans that one piece of work may have; what it makes beyond that is dropped and counted."""

_random = random.Random(random.SystemRandom().getrandbits(128)).getrandbits  # noqa: S311 - ids need to be distinct, not secret
_now_ns = time.time_ns


class Shape:
    """What the spans of one place in the code have in common; encoded once, however many there are.

    `name` is of low cardinality: what is done, or for a message on the wire `{operation} {destination template}` (see `message`).
    """

    __slots__ = ("attributes", "kind", "name")

    def __init__(self, name: str, kind: int = INTERNAL, attributes: Mapping[str, Attribute] | None = None) -> None:
        self.name = name
        self.kind = kind
        self.attributes = dict(attributes or {})


_OPERATION_TYPES = {"process": "process", "receive": "receive"}
"""All others send something."""


def message(operation: str, destination: str, kind: int, attributes: Mapping[str, Attribute] | None = None) -> Shape:
    """The shape of a message on the wire, by OpenTelemetry's messaging conventions; `destination` is a subject's template.

    >>> message("send", "auth.v1.{shard}.authorize", CLIENT).name
    'send auth.v1.{shard}.authorize'
    """
    said: dict[str, Attribute] = {
        "messaging.system": "nats",
        "messaging.operation.name": operation,
        "messaging.operation.type": _OPERATION_TYPES.get(operation, "send"),
        "messaging.destination.template": destination,
    }
    return Shape(f"{operation} {destination}", kind, {**said, **(attributes or {})})


class LocalTrace:
    """The part of a trace that one piece of work makes in this process: its spans are kept together, or dropped together."""

    __slots__ = ("queue", "root_id", "sampled", "spans", "state", "trace_id")

    def __init__(self, queue: SpanQueue[Any], trace_id: str, root_id: int, sampled: bool, state: str) -> None:
        self.queue = queue
        self.trace_id = trace_id
        self.root_id = root_id
        self.sampled = sampled
        self.state = state
        self.spans: list[Any] | None = [] if sampled else None
        """Those that have ended, the local root last; None when nothing is recorded, and once the root has ended."""


class Span(msgspec.Struct, eq=False):
    """One piece of work. Ends once, by `end` or by leaving its `with` block. (A Struct, for its constructor is half the price.)"""

    shape: Shape
    local: LocalTrace
    span_id: int
    parent_id: int | str
    """A number when the parent is of this process, else as it came; empty when there is none."""
    start_ns: int
    attributes: dict[str, Attribute] = {}
    error_text: str = ""
    links: tuple[TraceContext, ...] = ()
    end_ns: int = 0

    @property
    def name(self) -> str:
        return self.shape.name

    @property
    def context(self) -> TraceContext:
        local = self.local
        return TraceContext(local.trace_id, f"{self.span_id:016x}", local.sampled, local.state)

    @property
    def trace_id(self) -> str:
        return self.local.trace_id

    @property
    def traceparent(self) -> str:
        """For a header or a record: whoever reads it hangs its spans below this one."""
        local = self.local
        return f"00-{local.trace_id}-{self.span_id:016x}-{'01' if local.sampled else '00'}"

    @property
    def state(self) -> str:
        """The tracestate that came from outside, to be passed on."""
        return self.local.state

    def set(self, key: str, value: Attribute) -> None:
        self.attributes[key] = value

    def error(self, text: str) -> None:
        """Marks the span failed; `text` is a response code or the name of an error, never data."""
        self.error_text = text

    def end(self) -> None:
        if self.end_ns:
            return
        self.end_ns = _now_ns()
        local = self.local
        spans = local.spans
        if spans is None:
            if local.sampled:  # its root has ended before it
                local.queue.put([self])
        elif self.span_id == local.root_id:
            local.spans = None  # what follows goes by itself, and no cycle keeps these alive
            spans.append(self)
            local.queue.put(spans)
        elif len(spans) < LOCAL_SPANS:
            spans.append(self)
        else:
            local.queue.drop("local")

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None and not self.error_text:
            self.error_text = kind.__name__
        self.end()


Parent = Span | TraceContext | None


class Tracer:
    """Makes spans; those that ended are in its queue, bounded, until an exporter takes them."""

    def __init__(self, service: str, instance: str) -> None:
        attributes: dict[str, Attribute] = {"service.instance.id": instance}
        if "OTEL_SERVICE_NAME" not in os.environ:
            attributes["service.name"] = service
        self.resource = Resource.create(attributes)
        self.enabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
        self._sampler = sampling._get_from_env_or_default()  # the SDK reads OTEL_TRACES_SAMPLER[_ARG]
        self._follows = self._sampler is sampling.DEFAULT_ON
        """The default, whose answer is known without asking: what the caller said, and a new trace is recorded."""
        self.queue: SpanQueue[Span] = SpanQueue(otel_environment.queue_size(), otel_environment.slow_ns())

    def span(self, shape: Shape, *, parent: Parent = None, attributes: dict[str, Attribute] | None = None) -> Span:
        """Starts a span below `parent`, or a new trace when there is none."""
        span_id = _random(64) or 1
        if type(parent) is Span:
            local, parent_id = parent.local, parent.span_id
            if local.spans is None and local.sampled:  # its root has ended: the new span is a root here
                local = LocalTrace(self.queue, local.trace_id, span_id, True, local.state)
            return Span(shape, local, span_id, parent_id, _now_ns(), attributes or {})
        if parent is None:
            trace_id, state, above = f"{_random(128) or 1:032x}", "", ""
        else:
            trace_id, above, _, state = parent  # type: ignore[misc]  # a TraceContext: a Span has been dealt with
        local = LocalTrace(self.queue, trace_id, span_id, self._sampled(shape.name, trace_id, parent), state)  # type: ignore[arg-type]
        return Span(shape, local, span_id, above, _now_ns(), attributes or {})

    def _sampled(self, name: str, trace_id: str, above: TraceContext | None) -> bool:
        if not self.enabled:
            return False
        if self._follows:
            return above is None or above.sampled
        context = None
        if above is not None:
            flags = api.TraceFlags(api.TraceFlags.SAMPLED if above.sampled else api.TraceFlags.DEFAULT)
            remote = api.SpanContext(int(trace_id, 16), int(above.span_id, 16), is_remote=True, trace_flags=flags)
            context = api.set_span_in_context(api.NonRecordingSpan(remote))
        return self._sampler.should_sample(context, int(trace_id, 16), name).decision is not sampling.Decision.DROP

    def take(self) -> list[Span]:
        """All spans that ended since the last call."""
        return self.queue.take(self.queue.capacity)
