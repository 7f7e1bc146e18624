"""Every message of every stream of the broker: subject, headers and data. Buckets are streams; a key is a part of the subject."""

from __future__ import annotations

from lianji.scan.bcd import SEPARATOR
from lianji.scan.detector import Detector
from lianji.scan.files import MARGIN_BYTES
from lianji.scan.named import under_its_name
from lianji.scan.report import Report
from runtime.bus import Bus
from runtime.streams import StoredMessage, every_message, stream_names

_OBJECTS = "$O."
"""Subjects of object stores, whose objects are cut into messages anywhere."""


async def search_streams(bus: Bus, detector: Detector, report: Report) -> None:
    """Raises runtime's NoAnswer when the broker does not give all of it."""
    report.count("streams", streams=len(await stream_names(bus)), messages=0, bytes=0)
    before: StoredMessage | None = None
    async for message in every_message(bus):
        data = message.data
        report.count("streams", messages=1, bytes=len(data))
        if before is not None and message.subject == before.subject and message.subject.startswith(_OBJECTS):
            data = before.data[-MARGIN_BYTES:] + data
        before = message
        whole = SEPARATOR.join((_head(message), under_its_name(message.subject, data)))
        report.add(detector, detector.find(whole), f"{message.stream} sequence {message.sequence}")


def _head(message: StoredMessage) -> bytes:
    headers = "".join(f"\n{name}: {value}" for name, value in message.headers.items())
    return f"{message.subject}{headers}".encode(errors="surrogateescape")
