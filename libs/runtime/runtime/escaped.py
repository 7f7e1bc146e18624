"""What nobody caught, as log lines: Python's own last words would show an exception's text, and the arguments of callbacks.

That of the main thread, of other threads, of destructors and of the event loop; and what libraries log by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Any

from runtime import logs

log = logs.get("escaped")


class _Libraries(logging.Handler):
    """Warnings and errors of libraries. What they put into their texts is theirs to choose, so the text is shown without it."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("a library reports", library=record.name, text=str(record.msg), exc_info=record.exc_info)


def _main_thread(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    log.critical("the process ends by an exception", exc_info=error)


def _other_thread(what: threading.ExceptHookArgs) -> None:
    log.error("a thread ended by an exception", exc_info=what.exc_value)


def _destructor(what: Any) -> None:  # sys.UnraisableHookArgs, which has no name at run time
    log.error("an exception that could not be raised", exc_info=what.exc_value)


def _event_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # A callback is shown with its arguments in the message too, and a protocol's are what it received.
    what = str(context.get("message", "")).partition("(")[0]
    log.error("the event loop reports", what=what, exc_info=context.get("exception"))


def install() -> None:
    """For the whole process; once logging is configured."""
    sys.excepthook = _main_thread
    threading.excepthook = _other_thread
    sys.unraisablehook = _destructor
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """For one event loop."""
    loop.set_exception_handler(_event_loop)
