"""Every file under a directory as raw bytes: logs, exported traces, terminals' memories, and all the rest.

Databases and the broker's files are searched here too, though their rows and messages are read as such elsewhere: what was
deleted or overwritten there may still stand in the file. In a database's file the columns of a row stand side by side with nothing
between them, and a voucher number, a shard and a reference number can make a card's: there a number must stand alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lianji.errors import CliError
from lianji.scan.detector import Detector
from lianji.scan.report import Report
from lianji.scan.wanted import Hit

KINDS = {"logs": "logs", "traces": "traces", "terminals": "terminals"}
OTHER = "other files"
READ_BYTES = 1024 * 1024
MARGIN_BYTES = 256
"""What a hit may need of its left: a detector's neighbourhood and more."""
OVERLAP_BYTES = 128 * 1024
"""What a hit may need of its right: the longest base64 value that is looked into wherever it stands."""


_DATABASES = (b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
"""How a database of SQLite begins, and its write-ahead log (sqlite.org/fileformat2, 1.3 and 4.1)."""


class Identity(NamedTuple):
    """A file, whatever it is called."""

    device: int
    number: int


class _Window(NamedTuple):
    """A part of a file. Hits that begin from `first` on and before `end` are this window's; the others are a neighbour's."""

    offset: int
    data: bytes
    first: int
    end: int


def search_files(directory: Path, detector: Detector, report: Report) -> None:
    """Raises CliError for what cannot be read: a search that leaves something out is none."""
    for path in files_under(directory):
        # What is gone was deleted since; a renamed log or trace comes later in this order.
        search_file(directory, path, detector, report)


def search_file(directory: Path, path: Path, detector: Detector, report: Report) -> Identity | None:
    """The file that was searched; None when none is there any more. Raises CliError."""
    where = path.relative_to(directory)
    kind = KINDS.get(where.parts[0], OTHER) if len(where.parts) > 1 else OTHER
    report.add(detector, detector.find(str(where).encode(errors="surrogateescape")), f"{where} (its name)")
    try:
        with path.open("rb") as file:
            for offset, hit in hits_in(file, detector):
                report.add(detector, [hit], f"{where} at {offset}")
            report.count(kind, files=1, bytes=file.tell())
            return identity(os.fstat(file.fileno()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CliError(f"{path}: cannot be read: {error.strerror}") from None


def identity(status: os.stat_result) -> Identity:
    return Identity(status.st_dev, status.st_ino)


def files_under(directory: Path) -> Iterator[Path]:
    """Regular files, in order: what is renamed to a name that sorts behind its old one is not missed."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise CliError(f"{error.filename}: cannot be read: {error.strerror}") from None

    for parent, directories, names in os.walk(directory, onerror=fail):
        directories.sort()
        yield from (path for name in sorted(names) if (path := Path(parent, name)).is_file())


def hits_in(file: BinaryIO, detector: Detector) -> Iterator[tuple[int, Hit]]:
    """The hits with where they begin in the file."""
    columns = False
    for window in _windows(file):
        columns = columns or (window.offset == 0 and window.data.startswith(_DATABASES))
        for hit in detector.find(window.data):
            if window.first <= hit.start < window.end and not (columns and hit.inside):
                yield window.offset + hit.start, hit


def _windows(file: BinaryIO) -> Iterator[_Window]:
    offset, first, data = 0, 0, b""
    while True:
        more = file.read(READ_BYTES)
        data += more
        end = len(data) - OVERLAP_BYTES if len(more) == READ_BYTES else len(data)
        yield _Window(offset, data, first, end)
        if len(more) < READ_BYTES:
            return
        keep = max(end - MARGIN_BYTES, 0)
        offset, first, data = offset + keep, end - keep, data[keep:]
