"""Spans as the services export them (OTLP/JSON lines), gathered into one trace."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec


class SpanRow(NamedTuple):
    """One span of a trace."""

    service: str
    name: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, str]
    error: str

    @property
    def duration_us(self) -> float:
        return (self.end_ns - self.start_ns) / 1000


class _Value(msgspec.Struct):
    stringValue: str = ""  # noqa: N815 - the names are OTLP's
    intValue: str = ""  # noqa: N815
    doubleValue: float | None = None  # noqa: N815
    boolValue: bool | None = None  # noqa: N815

    def text(self) -> str:
        if self.doubleValue is not None:
            return str(self.doubleValue)
        return str(self.boolValue).lower() if self.boolValue is not None else self.stringValue or self.intValue


class _Attribute(msgspec.Struct):
    key: str
    value: _Value


class _Status(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Span(msgspec.Struct):
    traceId: str  # noqa: N815
    spanId: str  # noqa: N815
    name: str
    startTimeUnixNano: str  # noqa: N815
    endTimeUnixNano: str  # noqa: N815
    parentSpanId: str = ""  # noqa: N815
    attributes: list[_Attribute] = []
    status: _Status = _Status()


class _Scope(msgspec.Struct):
    spans: list[_Span]


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] = []


class _ResourceSpans(msgspec.Struct):
    resource: _Resource
    scopeSpans: list[_Scope]  # noqa: N815


class _Export(msgspec.Struct):
    resourceSpans: list[_ResourceSpans]  # noqa: N815


_decode = msgspec.json.Decoder(_Export).decode


class TraceFiles:
    """The export files of a directory, searched for one trace; what has been read is not read again."""

    def __init__(self, directory: Path, trace_id: str) -> None:
        self._directory = directory
        self._trace_id = trace_id
        self._read: dict[int, int] = {}
        """File (inode: a full file is renamed) → bytes searched."""
        self._found: list[SpanRow] = []

    def read(self) -> list[SpanRow]:
        """The trace's spans so far, in order of their start."""
        for path in sorted(self._directory.glob("*.jsonl*")):
            try:
                with path.open("rb") as file:
                    self._search(file)
            except FileNotFoundError:
                continue  # renamed since; it is found under its other name the next time
        self._found.sort(key=lambda row: (row.start_ns, -row.end_ns))
        return self._found

    def _search(self, file: BinaryIO) -> None:
        wanted, inode = self._trace_id.encode(), os.fstat(file.fileno()).st_ino
        file.seek(self._read.get(inode, 0))
        for line in file:
            if not line.endswith(b"\n"):
                return  # still being written
            self._read[inode] = self._read.get(inode, 0) + len(line)
            if wanted in line:
                self._found += spans_in(line, self._trace_id)


def spans_in(line: bytes, trace_id: str) -> Iterator[SpanRow]:
    """One trace's spans in an exported line."""
    for resource in _decode(line).resourceSpans:
        names = {a.key: a.value.text() for a in resource.resource.attributes}
        for scope in resource.scopeSpans:
            yield from (_row(names.get("service.name", "?"), span) for span in scope.spans if span.traceId == trace_id)


def _row(service: str, span: _Span) -> SpanRow:
    return SpanRow(
        service=service,
        name=span.name,
        span_id=span.spanId,
        parent_id=span.parentSpanId,
        start_ns=int(span.startTimeUnixNano),
        end_ns=int(span.endTimeUnixNano),
        attributes={a.key: a.value.text() for a in span.attributes},
        error=(span.status.message or "error") if span.status.code == 2 else "",
    )


class Node(NamedTuple):
    """A span with what happened below it."""

    row: SpanRow
    children: list[Node]


def tree(rows: list[SpanRow]) -> list[Node]:
    """The roots of a trace: spans without a parent, or whose parent has not been exported."""
    nodes = {row.span_id: Node(row, []) for row in rows}
    below: dict[str, list[Node]] = defaultdict(list)
    roots: list[Node] = []
    for row in rows:
        (below[row.parent_id] if row.parent_id in nodes else roots).append(nodes[row.span_id])
    for span_id, children in below.items():
        nodes[span_id].children.extend(children)
    return roots
