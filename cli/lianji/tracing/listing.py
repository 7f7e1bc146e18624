"""The newest traces of a collector, one line each."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import msgspec

from lianji.tracing import hops
from lianji.tracing.files import TraceFiles
from lianji.tracing.notes import Note
from lianji.tracing.rows import SpanRow


class Wanted(NamedTuple):
    """Which traces."""

    slow_ms: float = 0.0
    errors: bool = False
    since_ns: int = 0
    limit: int = 20

    def wants(self, head: SpanRow) -> bool:
        return (
            head.start_ns >= self.since_ns
            and head.duration_us >= self.slow_ms * 1000
            and (bool(head.error) or not self.errors)
        )


class Listed(msgspec.Struct, kw_only=True):
    """One trace. Its time, duration and error are those of the message that came in, or of the span that began it."""

    trace_id: str
    start_ns: int
    duration_us: float
    name: str
    error: str
    rrn: str
    terminal: str
    kind: str
    code: str
    institution: str
    spans: int
    services: list[str]
    missing: list[str]
    orphans: int


def newest(files: TraceFiles, wanted: Wanted) -> list[Listed]:
    """The newest traces that are wanted, newest first."""
    heads = _heads(files, wanted)
    if not heads:
        return []
    traces = files.traces(set(heads), min(head.start_ns for head in heads.values()))
    return [_listed(head, traces[trace_id]) for trace_id, head in heads.items()]


def _heads(files: TraceFiles, wanted: Wanted) -> dict[str, SpanRow]:
    """The spans that speak for the newest traces. Segments are read from the newest back, until older ones cannot hold a newer trace."""
    found: dict[str, SpanRow] = {}
    for segment in reversed(files.segments()):
        if len(found) >= wanted.limit and min(head.start_ns for head in found.values()) > segment.ended_ns:
            break
        if segment.ended_ns < wanted.since_ns:
            break
        for row in files.rows(segment.path):
            receives = hops.is_receive(row)
            if (receives or not row.parent_id) and (receives or row.trace_id not in found) and wanted.wants(row):
                found[row.trace_id] = row
        found = {
            row.trace_id: row for row in heapq.nlargest(wanted.limit, found.values(), key=lambda head: head.start_ns)
        }
    return found


def _listed(head: SpanRow, rows: list[SpanRow]) -> Listed:
    note, said = Note(), head.attributes
    for row in rows:
        note.add(row)
    return Listed(
        trace_id=head.trace_id,
        start_ns=head.start_ns,
        duration_us=head.duration_us,
        name=head.name,
        error=head.error,
        rrn=said.get("lianji.rrn", ""),
        terminal=said.get("lianji.terminal", ""),
        kind=said.get("lianji.kind", "") or said.get("lianji.mti", ""),
        code=said.get("lianji.response_code", ""),
        institution=said.get("lianji.institution", ""),
        spans=len(note.spans),
        services=sorted(note.services),
        missing=note.missing(),
        orphans=note.orphans,
    )
