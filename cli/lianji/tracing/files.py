"""The segments of a stack's collector, searched while they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from lianji.tracing.rows import SpanRow, rows_of

FOLDER, SUFFIX = "traces", ".jsonl"
SEARCHED = 50
"""Ids that are searched for in a line before it is decoded; more of them would take longer than that."""
MARGIN_NS = 60 * 1_000_000_000
"""A span is in the file of the time when it was exported, which may be later than its end."""


def segments_in(directory: Path) -> list[Path]:
    """The segments, oldest first."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())


class Segment(NamedTuple):
    """A file of bodies."""

    path: Path
    ended_ns: int
    """When it was last written, Unix nanoseconds: what is in it had ended by then."""


class TraceFiles:
    """What a collector keeps in the data directory of a stack."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / FOLDER
        self.unreadable = 0
        """Lines that are no OTLP/JSON: somebody has written into the files, or a disk was full."""

    def segments(self) -> list[Segment]:
        """Oldest first."""
        found = []
        for path in segments_in(self.directory):
            try:
                found.append(Segment(path, path.stat().st_mtime_ns))
            except FileNotFoundError:
                continue  # removed since: it was the oldest
        return found

    def rows(self, path: Path, wanted: tuple[bytes, ...] = ()) -> Iterator[SpanRow]:
        """The spans of a segment; with `wanted` only of lines that hold one of these."""
        for line in lines_of(path, 0):
            if wanted and not any(word in line for word in wanted):
                continue
            try:
                yield from rows_of(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                self.unreadable += 1

    def traces(self, trace_ids: set[str], since_ns: int) -> dict[str, list[SpanRow]]:
        """All spans of some traces, each once, in order of their start; none of them began before `since_ns`."""
        found: dict[str, dict[str, SpanRow]] = {trace_id: {} for trace_id in trace_ids}
        wanted = tuple(trace_id.encode() for trace_id in trace_ids)
        for segment in self.segments() if wanted else ():
            if segment.ended_ns >= since_ns - MARGIN_NS:
                for row in self.rows(segment.path, wanted if len(wanted) <= SEARCHED else ()):
                    if row.trace_id in found:
                        found[row.trace_id][row.span_id] = row
        return {trace_id: in_order(rows.values()) for trace_id, rows in found.items()}


class GrowingTrace:
    """One trace that is being exported; what has been read is not read again."""

    def __init__(self, files: TraceFiles, trace_id: str) -> None:
        self._files = files
        self._wanted = trace_id.encode()
        self._trace_id = trace_id
        self._read: dict[Path, int] = {}
        self._found: dict[str, SpanRow] = {}

    def read(self) -> list[SpanRow]:
        """The trace's spans so far, in order of their start."""
        for segment in self._files.segments():
            read = self._read.get(segment.path, 0)
            for line in lines_of(segment.path, read):
                read += len(line)
                if self._wanted in line:
                    for row in rows_of(line):
                        if row.trace_id == self._trace_id:
                            self._found[row.span_id] = row
            self._read[segment.path] = read
        return in_order(self._found.values())


def in_order(rows: Iterable[SpanRow]) -> list[SpanRow]:
    return sorted(rows, key=lambda row: (row.start_ns, -row.end_ns))


def lines_of(path: Path, start: int) -> Iterator[bytes]:
    """The whole lines from `start` on, with their ends; nothing when the file has been removed since."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):  # else it is being written, or was torn
                    yield line
    except FileNotFoundError:
        return
