"""A day, event by event: virtual time, process, what happened. The same seed gives the same lines, byte for byte."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import structlog

from runtime import logs
from runtime.log import LogDamaged, decode_group
from simulation.loop import START_NS, Loop
from simulation.processes import PROCESS

_SHOWN_OF_RECORDS = (
    "type",
    "id",
    "terminal",
    "batch",
    "amount_minor",
    "state",
    "response_code",
    "reason",
    "institution",
    "epoch",
    "owner",
)
"""Nothing of the card is among them."""
_NOT_SHOWN = frozenset({"event", "component", "trace_id", "exc_info", "instance", "service"})


def _records(group: bytes) -> str:
    """The records of a group, each by what it is, whose, and what it says."""
    try:
        records = decode_group(group).records
    except LogDamaged:
        return ""
    rows = []
    for raw in records:
        record = msgspec.json.decode(raw)
        rows.append(" ".join(str(record[name]) for name in _SHOWN_OF_RECORDS if record.get(name)))
    return ": " + (" | ".join(rows) or "nothing") if records or group else ""


class Recorder:
    """Keeps the lines when somebody is going to read them, and nothing else."""

    def __init__(self, loop: Loop, *, keeps: bool) -> None:
        self.keeps = keeps
        self.lines: list[str] = []
        self._loop = loop

    def told(self, kind: str, text: str, group: bytes = b"") -> None:
        """`group` is a group of a log, of which the records are named; anything else is left out."""
        if self.keeps:
            process = PROCESS.get()
            who = process.name if process is not None else "-"
            line = f"{(self._loop.now_ns - START_NS) / 1e9:10.6f}  {who:<17} {kind:<8} {text}{_records(group)}"
            self.lines.append(line.rstrip())

    def _logged(self, _: Any, method: str, event: Any) -> Any:
        """A log line of a service, masked as everywhere."""
        shown = {key: logs.safe(value) for key, value in event.items() if key not in _NOT_SHOWN}
        details = " ".join(f"{key}={value}" for key, value in shown.items())
        error = event.get("exc_info")
        failed = f" ({type(error).__name__})" if isinstance(error, BaseException) else ""
        self.told(method, f"{logs.safe(event['event'])} {details}{failed}".rstrip())
        raise structlog.DropEvent

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block the services' log lines come here."""
        before = structlog.get_config()
        level = logging.INFO if self.keeps else logging.CRITICAL
        structlog.configure(
            processors=[self._logged],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=structlog.ReturnLoggerFactory(),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)
