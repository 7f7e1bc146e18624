"""The last traces on disk: files of OTLP/JSON bodies, one a line (OpenTelemetry's file exporter writes the same), in segments.

Nothing is synced: a trace is worth less than a disk's time, and what has been written outlives the process, if not the machine.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from lianji.tracing.files import SUFFIX, segments_in

LARGEST_SEGMENT_BYTES = 16 * 1024 * 1024
SEGMENTS = 8
"""At least: what is removed at once is no more than an eighth of what is kept."""


class DiskError(Exception):
    """A body could not be written. Nothing of it stands there; it may be sent again."""


class Segments:
    """Written by one process, from any of its threads. A new process begins a new segment: the last line of the former may be torn."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._directory = directory
        self._limit = limit_bytes
        self._segment = min(LARGEST_SEGMENT_BYTES, max(limit_bytes // SEGMENTS, 1))
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        there = segments_in(directory)
        self._number = int(there[-1].stem) if there else 0
        self._file = -1
        self._size = 0
        with self._lock:
            self._next()

    def write(self, body: bytes) -> None:
        """Appends a body of OTLP/JSON; raises DiskError. In JSON a line break can only stand between values, so it is no loss."""
        line = (body.replace(b"\n", b" ") if b"\n" in body else body) + b"\n"
        with self._lock:
            if self._size and self._size + len(line) > self._segment:
                self._next()
            try:
                written = os.write(self._file, line)
                if written < len(line):
                    raise OSError("written in part")
            except OSError as error:
                os.ftruncate(self._file, self._size)
                raise DiskError(error.strerror or str(error)) from None
            self._size += len(line)

    def _next(self) -> None:
        """Begins a segment, and removes the oldest until there is room for it."""
        there = [(path, path.stat().st_size) for path in segments_in(self._directory)]
        held = sum(size for _, size in there)
        for path, size in there:
            if held + self._segment <= self._limit:
                break
            path.unlink()
            held -= size
        if self._file >= 0:
            os.close(self._file)
        self._number += 1
        path = self._directory / f"{self._number:08d}{SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = 0
