"""Log lines: one JSON object each, on stderr, with anything that looks like a card number masked."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from typing import Any, cast

import msgspec
import structlog

_DIGIT_RUN = re.compile(r"(?<!\d)\d{13,19}(?!\d)")
"""Card numbers have 13 to 19 digits; a reference number (RRN) has 12 and survives. So do 13-digit milliseconds, as numbers."""

Logger = structlog.typing.FilteringBoundLogger


def mask_digit_runs(text: str) -> str:
    """`text` with each run of 13 to 19 digits shown as its first 6 and last 4.

    >>> mask_digit_runs("card 6291010000000018 rrn 010000000042")
    'card 629101******0018 rrn 010000000042'
    """
    return _DIGIT_RUN.sub(lambda m: m[0][:6] + "*" * (len(m[0]) - 10) + m[0][-4:], text)


def _mask(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) >= 13 and key != "trace_id":  # hex may hold a long run of digits
            event[key] = mask_digit_runs(value)
    return event


def _render(_: Any, __: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def configure(service: str, instance: str, level: str = "info") -> None:
    """Sets up the process's logging; to be called once, before the first line."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"LIANJI_LOG_LEVEL: {level!r} is not a level; take debug, info, warning or error")

    def identify(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        event["instance"] = instance
        return event

    processors: list[Callable[..., Any]] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        identify,
        structlog.processors.format_exc_info,
        _mask,
        _render,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)  # libraries that log by themselves


def get(name: str) -> Logger:
    """A logger: `log.info("event in plain words", key=value)`."""
    return cast(Logger, structlog.get_logger(component=name))
