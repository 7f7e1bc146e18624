"""Every trace that a collector keeps, counted: how many are of swipes, which of them lack a hop, and spans without a parent."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from lianji.tracing.files import TraceFiles
from lianji.tracing.notes import Note

EXAMPLES = 20
"""Incomplete traces that are named, unless more are asked for."""


class Incomplete(msgspec.Struct, kw_only=True):
    """A trace that lacks something."""

    trace_id: str
    rrn: str
    start_ns: int
    """Of its first span."""
    missing: list[str]
    orphans: int


class Count(msgspec.Struct, kw_only=True):
    """What a count found."""

    traces: int = 0
    swipes: int = 0
    """Traces of a 0200."""
    whole: int = 0
    """Swipes with every hop that is due."""
    spans: int = 0
    missing: dict[str, int] = {}
    """Hop → swipes that lack it."""
    orphans: int = 0
    """Spans, in traces of any kind, whose parent is nowhere."""
    headless: int = 0
    """Traces without a span that begins them."""
    duplicates: int = 0
    """Spans that came twice."""
    unreadable: int = 0
    """Lines that are no OTLP/JSON."""
    examples: list[Incomplete] = []

    @property
    def clean(self) -> bool:
        return not (self.missing or self.orphans or self.headless or self.duplicates or self.unreadable)


def noted(files: TraceFiles, since_ns: int = 0) -> dict[str, Note]:
    """Every trace, by its id; since_ns leaves out segments that ended before."""
    notes: dict[str, Note] = defaultdict(Note)
    for segment in files.segments():
        if segment.ended_ns >= since_ns:
            for row in files.rows(segment.path):
                notes[row.trace_id].add(row)
    return notes


def count(files: TraceFiles, since_ns: int = 0, *, examples: int = EXAMPLES) -> Count:
    """Of the traces that began at `since_ns` or later."""
    found, missing = Count(), Counter[str]()
    for trace_id, note in noted(files, since_ns).items():
        if note.start_ns < since_ns:
            continue
        lacks, orphans = note.missing(), note.orphans
        found.traces += 1
        found.spans += len(note.spans)
        found.swipes += note.is_swipe
        found.whole += note.is_swipe and not lacks
        found.orphans += orphans
        found.duplicates += note.duplicates
        found.headless += note.head is None
        missing.update(lacks)
        if (lacks or orphans or note.head is None) and len(found.examples) < examples:
            found.examples.append(_incomplete(trace_id, note, lacks))
    found.missing = dict(missing.most_common())
    found.unreadable = files.unreadable
    return found


def _incomplete(trace_id: str, note: Note, lacks: list[str]) -> Incomplete:
    said: dict[str, Any] = note.head.attributes if note.head is not None else {}
    return Incomplete(
        trace_id=trace_id,
        rrn=said.get("lianji.rrn", ""),
        start_ns=note.start_ns,
        missing=lacks,
        orphans=note.orphans,
    )
