"""What is measured of the switch: its answers, the banks as it sees them, and what is open on each shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from auth.breaker import Breaker
from auth.domain import ages
from auth.domain.state import Shard
from runtime import catalogue, logs
from runtime.metrics import Metrics, Values
from runtime.tracing import Span
from runtime.transactions import Transactions

log = logs.get("auth")

ANSWERED, NO_ANSWER, NOT_DELIVERED = "answered", "no_answer", "not_delivered"
"""How a question to a bank ended."""


class Measures:
    """Of one process, whichever shards it owns."""

    def __init__(self, metrics: Metrics, institutions: Iterable[str]) -> None:
        self._institutions = tuple(institutions)
        self._metrics = metrics
        self._issuer = metrics.histogram(catalogue.ISSUER_DURATION)
        self._refused = metrics.counter(catalogue.ADVICES_REFUSED)
        for institution in self._institutions:  # from 0 on: the first refusal must be seen as a rise
            self._refused.of(institution)
        self.transactions = Transactions(metrics, log, self._institutions)

    @classmethod
    def unread(cls, institutions: Iterable[str]) -> Measures:
        """Where nobody looks at them."""
        return cls(Metrics(), institutions)

    def asked(self, institution: str, span: Span) -> Callable[[str], None]:
        """A bank is asked now; to be called with how it ended."""
        started = time.perf_counter()

        def ended(outcome: str) -> None:
            self._issuer.of(institution, outcome).record(time.perf_counter() - started, span)

        return ended

    def advice_refused(self, institution: str) -> None:
        """A bank will never book what was approved in its stead."""
        self._refused.of(institution).add()

    def watch_breakers(self, breakers: Mapping[str, Breaker]) -> None:
        """Whether each bank is asked: a bank without a breaker always is."""

        def opened() -> Iterator[tuple[Values, float]]:
            for institution in self._institutions:
                breaker = breakers.get(institution)
                yield (institution,), float(breaker is not None and breaker.open)

        def unasked() -> Iterator[tuple[Values, float]]:
            for institution in self._institutions:
                breaker = breakers.get(institution)
                yield (institution,), breaker.refused if breaker is not None else 0

        self._metrics.gauge(catalogue.BREAKER_OPEN).watch(opened)
        self._metrics.counter(catalogue.BREAKER_REFUSED).watch(unasked)

    def watch(self, number: int, state: Callable[[], Shard | None], now_ms: Callable[[], int]) -> None:
        """The gauges of a shard; `state` gives None while it is another's."""
        shard = (str(number),)

        def told(measure: Callable[[Shard], float]) -> Callable[[], Iterator[tuple[Values, float]]]:
            def read() -> Iterator[tuple[Values, float]]:
                known = state()
                if known is not None:
                    yield shard, measure(known)

            return read

        def queued() -> Iterator[tuple[Values, float]]:
            known = state()
            if known is not None:
                for institution in self._institutions:
                    yield (institution,), len(known.reversals.get(institution, ()))

        def untold() -> Iterator[tuple[Values, float]]:
            known = state()
            if known is not None:
                for institution in self._institutions:
                    yield (institution,), len(known.advices.queues.get(institution, ()))

        gauge = self._metrics.gauge
        gauge(catalogue.INTENTS_OPEN).watch(told(lambda known: len(known.intents)))
        gauge(catalogue.INTENTS_OLDEST_AGE).watch(told(lambda known: ages.oldest_intent_ms(known, now_ms()) / 1000))
        gauge(catalogue.BATCHES_OLDEST_AGE).watch(told(lambda known: ages.oldest_batch_ms(known, now_ms()) / 1000))
        gauge(catalogue.REVERSALS_QUEUED).watch(queued)
        gauge(catalogue.ADVICES_QUEUED).watch(untold)
