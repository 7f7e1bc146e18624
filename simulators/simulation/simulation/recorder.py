"""A day, event by event: virtual time, process, what happened. The same seed gives the same lines, byte for byte."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from runtime import logs
from simulation.loop import START_NS, Loop
from simulation.processes import PROCESS

_NOT_SHOWN = frozenset({"event", "component", "trace_id", "exc_info", "instance", "service"})


class Recorder:
    """Keeps the lines when somebody is going to read them, and nothing else."""

    def __init__(self, loop: Loop, *, keeps: bool) -> None:
        self.keeps = keeps
        self.lines: list[str] = []
        self._loop = loop

    def told(self, kind: str, text: str) -> None:
        if self.keeps:
            process = PROCESS.get()
            who = process.name if process is not None else "-"
            self.lines.append(f"{(self._loop.now_ns - START_NS) / 1e9:10.6f}  {who:<17} {kind:<8} {text}")

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
