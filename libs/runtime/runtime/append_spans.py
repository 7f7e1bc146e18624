"""What a span says of an append: the group that its records stand in, and how long they waited for it."""

from __future__ import annotations

import asyncio

from runtime.log import Appended
from runtime.tracing import Span


def tell(span: Span, appended: Appended) -> None:
    """`lianji.group.wait_us` is the time that the records waited for the group ahead, from the span's start to the hand-over."""
    attributes = span.attributes
    attributes["lianji.group.sequence"] = appended.sequence
    attributes["lianji.group.records"] = appended.records
    attributes["lianji.group.wait_us"] = max(appended.sent_ns - span.start_ns, 0) // 1000


def end(span: Span, future: asyncio.Future[Appended]) -> None:
    """Ends the span of an append that is done or has failed."""
    error = None if future.cancelled() else future.exception()
    if future.cancelled() or error is not None:
        span.error(type(error).__name__ if error else "cancelled")
    else:
        tell(span, future.result())
    span.end()
