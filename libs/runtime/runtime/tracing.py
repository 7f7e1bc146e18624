"""Light spans with W3C context.

The OpenTelemetry SDK stays the face: resource, sampler and ids come from it, and `OTEL_*` variables mean what they mean there.
Spans themselves are recorded here, because seven stock SDK spans cost a swipe about 1,200 µs of CPU and these about a tenth.
Parents are passed explicitly: a handler knows whose work it does, and no context variable has to follow it through queues.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import sampling

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
"""SpanKind of opentelemetry-proto trace.proto."""
_KINDS = {"internal": INTERNAL, "server": SERVER, "client": CLIENT, "producer": PRODUCER, "consumer": CONSUMER}

Attribute = str | int | float | bool

_ids = random.SystemRandom()
_fast = random.Random(_ids.getrandbits(128))  # noqa: S311 - span ids need to be distinct, not secret


class TraceContext(NamedTuple):
    """Where in which trace: the content of a traceparent header (W3C Trace Context, version 00)."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


_HEX = frozenset("0123456789abcdef")


def parse_traceparent(text: str | None) -> TraceContext | None:
    """The context of a traceparent header; None when there is none or it is not one (the standard says: start a new trace)."""
    if not text or len(text) < 55:
        return None
    parts = text.split("-", 4)
    if len(parts) < 4 or len(parts[0]) != 2 or parts[0] == "ff" or len(parts[1]) != 32 or len(parts[2]) != 16:
        return None
    if parts[0] == "00" and len(text) != 55:
        return None
    if not (
        _HEX.issuperset(parts[1]) and _HEX.issuperset(parts[2]) and len(parts[3]) == 2 and _HEX.issuperset(parts[3])
    ):
        return None
    if parts[1] == "0" * 32 or parts[2] == "0" * 16:
        return None
    return TraceContext(parts[1], parts[2], bool(int(parts[3], 16) & 1))


class Span:
    """One piece of work. Ends once, by `end` or by leaving its `with` block."""

    __slots__ = (
        "_finish",
        "attributes",
        "context",
        "end_ns",
        "error_text",
        "kind",
        "links",
        "name",
        "parent_id",
        "start_ns",
    )

    def __init__(
        self,
        finish: Callable[[Span], None],
        *,
        name: str,
        kind: int,
        context: TraceContext,
        parent_id: str,
        attributes: dict[str, Attribute] | None,
    ) -> None:
        self._finish = finish
        self.name = name
        self.kind = kind
        self.context = context
        self.parent_id = parent_id
        self.attributes = attributes if attributes is not None else {}
        self.links: list[TraceContext] = []
        self.error_text = ""
        self.start_ns = time.time_ns()
        self.end_ns = 0

    def set(self, key: str, value: Attribute) -> None:
        self.attributes[key] = value

    def error(self, text: str) -> None:
        """Marks the span failed; `text` is a response code or the name of an error, never data."""
        self.error_text = text

    def end(self) -> None:
        if self.end_ns == 0:
            self.end_ns = time.time_ns()
            self._finish(self)

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None and not self.error_text:
            self.error_text = kind.__name__
        self.end()


Parent = Span | TraceContext | None


class Tracer:
    """Makes spans and keeps the ended ones, bounded, until an exporter takes them."""

    def __init__(self, service: str, instance: str, *, capacity: int = 20_000) -> None:
        attributes: dict[str, Attribute] = {"service.instance.id": instance}
        if "OTEL_SERVICE_NAME" not in os.environ:
            attributes["service.name"] = service
        self.resource = Resource.create(attributes)
        self.enabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
        self._sampler = sampling._get_from_env_or_default()  # the SDK reads OTEL_TRACES_SAMPLER[_ARG]
        self._capacity = capacity
        # A deque: spans also end in projections' worker threads, and its ends are safe to use from two of them.
        self._ended: deque[Span] = deque()
        self.ended = self.dropped = 0

    def span(
        self,
        name: str,
        *,
        parent: Parent = None,
        kind: str = "internal",
        attributes: dict[str, Attribute] | None = None,
    ) -> Span:
        """Starts a span below `parent`, or a new trace when there is none."""
        span_id = f"{_fast.getrandbits(64) or 1:016x}"
        above = parent.context if type(parent) is Span else parent
        if above is not None:
            context = TraceContext(above.trace_id, span_id, above.sampled)  # type: ignore[union-attr]
            parent_id = above.span_id  # type: ignore[union-attr]
        else:
            trace_id = _fast.getrandbits(128) or 1
            sampled = (
                self.enabled
                and self._sampler.should_sample(None, trace_id, name).decision is not sampling.Decision.DROP
            )
            context, parent_id = TraceContext(f"{trace_id:032x}", span_id, sampled), ""
        return Span(
            self._keep, name=name, kind=_KINDS[kind], context=context, parent_id=parent_id, attributes=attributes
        )

    def _keep(self, span: Span) -> None:
        if not span.context.sampled or not self.enabled:
            return
        self.ended += 1
        if len(self._ended) >= self._capacity:
            self.dropped += 1
            return
        self._ended.append(span)

    def take(self) -> list[Span]:
        """The spans that ended since the last call."""
        return [self._ended.popleft() for _ in range(len(self._ended))]
