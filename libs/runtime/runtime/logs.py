"""Log lines: one JSON object each, on stderr. Whatever a line is given, card data is masked in it."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO, TextIO, cast

import msgspec

from runtime import tracebacks
from runtime.lean_structlog import structlog
from runtime.masking import MASK, mask

Logger = structlog.typing.FilteringBoundLogger
Event = structlog.typing.EventDict

_OWN_KEYS = frozenset({"level", "timestamp", "service", "instance", "component", "trace_id"})
"""What is put in by the project itself; a trace id is hex and may hold a long run of digits."""
_NAMED = frozenset({"pin", "cvv", "cvv2", "cvc", "cvc2"})
_NUMBERS = range(10**13, 10**18)
"""Whole numbers that could be a card's. Unix milliseconds are shorter, nanoseconds longer."""


def safe(value: object) -> object:
    """`value` as a line may show it: text masked, bytes counted, and what is no plain value by its own `str`, masked."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return mask(str(value)) if value in _NUMBERS else value
    if isinstance(value, Mapping):
        return {mask(str(key)): _entry(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [safe(item) for item in cast(Iterable[object], value)]
    return _text(value)


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return tracebacks.words(value) if isinstance(value, BaseException) else mask(str(value))


def _entry(key: str, value: object) -> object:
    if key.lower() in _NAMED and str(value).isdigit():
        return MASK
    return safe(value)


_SHORT = 13
"""A text of letters and digits that is shorter can be no card number, and with no other character in it nothing else that `mask` finds."""
_HARMLESS = frozenset({float, bool, type(None)})
_seen: set[str] = set()
_SEEN_MOST = 512
"""Events in which `mask` has found nothing: words of the code, so there are few of them, and each is looked at once."""


def _mask(_: Any, __: str, event: Event) -> Event:
    """Every value, each as cheaply as its kind allows: most are short tokens or numbers, which one look shows harmless."""
    for key, value in event.items():
        kind = type(value)
        if kind is str:
            if len(value) < _SHORT and value.isalnum() and key not in _NAMED:
                continue
            if key == "event":
                event[key] = _event_text(value)
            elif key not in _OWN_KEYS:
                event[key] = _entry(key, value) if key in _NAMED else mask(value)
        elif kind not in _HARMLESS:
            event[key] = _entry(key, value)
    return event


def _event_text(text: str) -> str:
    if text in _seen:
        return text
    masked = mask(text)
    if masked == text and len(_seen) < _SEEN_MOST:
        _seen.add(text)
    return masked


def _exception(_: Any, __: str, event: Event) -> Event:
    """`exc_info` as an exception, its triple, or True for the one being handled."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = tracebacks.describe(error)
    return event


_encode = msgspec.json.Encoder(enc_hook=str).encode


def _render(_: Any, __: str, event: Event) -> bytes:
    return _encode(event)


class _Lines:
    """Where lines go: each at once, but for those that `say` brings. What they say in one turn of the event loop leaves in one write at
    its end, or ahead of the next line."""

    def __init__(self, file: BinaryIO, finish: Callable[..., Event], *, wanted: bool) -> None:
        self._file = file
        self.finish = finish
        """The processor that makes a line whole."""
        self.wanted = wanted
        """Whether the level lets through what `say` brings."""
        self._held: list[bytes] = []
        self._lock = threading.Lock()

    def hold(self, line: bytes) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.msg(line)
            return
        with self._lock:
            self._held.append(line)
        if len(self._held) == 1:
            loop.call_soon(self._leave)

    def msg(self, line: bytes) -> None:
        self._leave(line)

    debug = info = warning = error = critical = msg

    def _leave(self, *last: bytes) -> None:
        with self._lock:
            held, self._held = self._held, []
            if written := b"".join([line + b"\n" for line in (*held, *last)]):
                self._file.write(written)
                self._file.flush()


class _Clock:
    """Timestamps of RFC 3339 in UTC, to the microsecond. The second is written once, however many lines it sees."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def now(self) -> str:
        second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{nanoseconds // 1000:06d}Z"


def _level(name: str) -> int:
    number = logging.getLevelNamesMapping().get(name.upper())
    if number is None:
        raise ValueError(f"LIANJI_LOG_LEVEL: {name!r} is not a level; take debug, info, warning or error")
    return number


def configure(service: str, instance: str, level: str = "info") -> None:
    """Sets up the process's logging; to be called once, before the first line."""
    number = _level(level)
    now = _Clock().now

    def finish(_: Any, method: str, event: Event) -> Event:
        if "exc_info" in event:
            _exception(_, method, event)
        _mask(_, method, event)
        event["level"] = "warning" if method == "warn" else "error" if method == "exception" else method
        event["timestamp"] = now()
        event["service"] = service
        event["instance"] = instance
        return event

    lines = _Lines(sys.stderr.buffer, finish, wanted=number <= logging.INFO)
    processors: list[Callable[..., Any]] = [finish, _render]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )


def say(log: Logger, event: str, facts: Event) -> None:
    """`log.info(event, **facts)` for what is said of every transaction, at less than half the price: structlog's own way copies `facts`
    five times. In the event loop it leaves with the others of its turn."""
    bound: Any = log.bind()
    lines = bound._logger
    if type(lines) is not _Lines or bound._processors[0] is not lines.finish:  # somebody listens in (structlog.testing)
        log.info(event, **facts)
    elif lines.wanted:
        lines.hold(_encode(lines.finish(log, "info", {**bound._context, **facts, "event": event})))


def configure_for_people(stream: TextIO) -> None:
    """For commands, whose own output is for people: errors alone, a line each. (structlog's default would show an exception's locals.)"""
    structlog.configure(
        processors=[structlog.processors.add_log_level, _exception, _mask, structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )


def get(name: str) -> Logger:
    """A logger: `log.info("event in plain words", key=value)`."""
    return cast(Logger, structlog.get_logger(component=name))
