"""Every message of every stream of the broker: subject, headers and data. Buckets are streams; a key is a part of the subject."""

from __future__ import annotations

from contracts import subjects
from lianji.scan.bcd import SEPARATOR
from lianji.scan.detector import Detector
from lianji.scan.files import MARGIN_BYTES
from lianji.scan.named import under_its_name
from lianji.scan.report import Report
from runtime.bus import Bus
from runtime.rights import bucket_subject
from runtime.streams import StoredMessage, every_message, states

AT_ONCE_BYTES = 128 * 1024
_OBJECTS = "$O."
"""Subjects of object stores, whose objects are cut into messages anywhere."""
_SNAPSHOTS = bucket_subject(subjects.SNAPSHOTS, "").removesuffix(".")
"""Of the buckets of snapshots, which are cut anywhere, too; the last token numbers the pieces."""


async def search_streams(bus: Bus, detector: Detector, report: Report) -> None:
    """Raises runtime's NoAnswer when the broker does not give all of it."""
    report.count("streams", streams=len(await states(bus)), messages=0, bytes=0)
    before: StoredMessage | None = None
    waiting: list[tuple[bytes, str]] = []
    size = 0
    async for stream, message in every_message(bus):
        data = message.data
        report.count("streams", messages=1, bytes=len(data))
        if before is not None and _go_on(before.subject, message.subject):
            data = before.data[-MARGIN_BYTES:] + data
        before = message
        whole = SEPARATOR.join((_head(message), under_its_name(message.subject, data)))
        waiting.append((whole, f"{stream} sequence {message.seq}"))
        size += len(whole)
        if size >= AT_ONCE_BYTES:
            _search(waiting, detector, report)
            waiting, size = [], 0
    _search(waiting, detector, report)


def _search(messages: list[tuple[bytes, str]], detector: Detector, report: Report) -> None:
    """Messages and their places: all at once first, for almost always there is nothing in them, and a search costs as much as some kilobytes of it."""
    if any(True for _ in detector.find(SEPARATOR.join(whole for whole, _ in messages))):
        for whole, place in messages:
            report.add(detector, detector.find(whole), place)


def _go_on(before: str, subject: str) -> bool:
    """Whether two messages behind one another are pieces of the same thing."""
    if subject.startswith(_SNAPSHOTS):
        return before.rpartition(".")[0] == subject.rpartition(".")[0]
    return subject.startswith(_OBJECTS) and before == subject


def _head(message: StoredMessage) -> bytes:
    headers = "".join(f"\n{name}: {value}" for name, value in message.headers.items())
    return f"{message.subject}{headers}".encode(errors="surrogateescape")
