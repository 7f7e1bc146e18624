"""Spans on their way to a collector: encoded in slices, sent in batches, tried again with longer and longer pauses.

A collector that is slow or dead costs nothing but spans: one batch is in hand, the queue behind it is bounded and knows what to keep,
and a drain waits a moment and no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import NamedTuple

from runtime import logs, otel_environment, otlp
from runtime.collector_line import Answer, CollectorLine, Fate
from runtime.otel_environment import Endpoint
from runtime.tracing import Span, Tracer

log = logs.get("export")

SLICE = 100
"""Spans turned into rows at a time: a pause of the event loop of about a tenth of a millisecond, as is the encoding of a whole batch."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
LAST_S = 1.0
"""What a drain gives the last batches."""


class _Batch(NamedTuple):
    body: bytes
    spans: int


class Exporter:
    """Takes what ended and brings it to the endpoint. Without one the tracer's queue is closed, and nothing is kept for nobody."""

    def __init__(self, tracer: Tracer, endpoint: Endpoint | None = None) -> None:
        endpoint = endpoint or otel_environment.endpoint("traces")
        self._tracer = tracer
        self._queue = tracer.queue
        self._batch_size = otel_environment.batch_size()
        self._delay_s = otel_environment.delay_s()
        self._line = CollectorLine(endpoint) if endpoint.url else None
        self._url = endpoint.url
        self._spans: list[Span] = []
        self._hand: _Batch | None = None
        self._answer: asyncio.Future[Answer] | None = None
        """What is taken and not yet encoded, encoded and not yet concluded, and the answer that is awaited: a drain goes on with them."""
        self._reachable = True
        self._said = 0
        self.exported = 0
        self.undelivered = 0
        """Spans that left the queue and did not arrive: refused, or in hand at the end."""
        if self._line is None:
            self._queue.close()

    async def run(self) -> None:
        """Exports until cancelled, and for LAST_S after that."""
        if self._line is None:
            return
        try:
            while True:
                await asyncio.sleep(self._delay_s)
                try:
                    await self._flush(self._line)
                except Exception as error:  # a bug here costs spans, and neither the ones behind them nor any payment
                    self.undelivered += len(self._spans)
                    log.error(
                        "spans could not be encoded", spans=len(self._spans), error=type(error).__name__, exc_info=True
                    )
                    self._spans = []
                self._say_dropped()
        finally:
            await self._finish(self._line)

    async def _finish(self, line: CollectorLine) -> None:
        with contextlib.suppress(TimeoutError):
            # Not asyncio.timeout: with Python 3.11.2, Debian 12's, one that ends in a task that was cancelled raises CancelledError again.
            await asyncio.wait_for(self._flush(line, again=False), LAST_S)
        line.close()
        if lost := self._queue.held + len(self._spans) + (self._hand.spans if self._hand else 0):
            self.undelivered += lost
            log.warning("spans are lost: the collector did not take them before the end", spans=lost)

    async def _flush(self, line: CollectorLine, *, again: bool = True) -> None:
        """Sends all that has ended, in batches; returns early when the collector does not take them and is not to be asked `again`."""
        pause_s = FIRST_PAUSE_S
        while True:
            if self._hand is None:
                self._spans = self._spans or self._queue.take(self._batch_size)
                if not self._spans:
                    return
                self._hand, self._spans = _Batch(await self._encoded(self._spans), len(self._spans)), []
            self._answer = self._answer or line.post(self._hand.body)
            answer = await asyncio.shield(self._answer)
            self._answer = None
            if answer.fate is Fate.AGAIN:
                self._unreachable(answer)
                if not again:
                    return
                await asyncio.sleep(max(answer.pause_s, pause_s * random.uniform(0.5, 1.0)))  # noqa: S311 - so that services do not come all at once
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            self._concluded(answer, self._hand.spans)
            self._hand = None

    async def _encoded(self, spans: list[Span]) -> bytes:
        rows: list[otlp.OtlpSpan] = []
        for start in range(0, len(spans), SLICE):
            rows += map(otlp.span_of, spans[start : start + SLICE])
            await asyncio.sleep(0)
        return otlp.encode(self._tracer.resource, rows)

    def _concluded(self, answer: Answer, spans: int) -> None:
        if answer.fate is Fate.TAKEN:
            self.exported += spans
            if not self._reachable:
                log.info("the trace collector takes spans again", endpoint=self._url)
            self._reachable = True
            return
        self.undelivered += spans
        log.warning(
            "the trace collector refuses spans, they are dropped", endpoint=self._url, reason=answer.reason, spans=spans
        )

    def _unreachable(self, answer: Answer) -> None:
        if self._reachable:
            log.warning(
                "trace collector not reachable: spans wait, and are dropped when their room is used up",
                endpoint=self._url,
                reason=answer.reason,
            )
        self._reachable = False

    def _say_dropped(self) -> None:
        """What has been dropped since it was last said, after each time that the queue has been emptied."""
        dropped = self._queue.dropped.total()
        if dropped > self._said:
            log.warning("spans were dropped", spans=dropped - self._said, in_all=dict(self._queue.dropped))
            self._said = dropped
