"""Instruments that cost next to nothing to record, and how they are read.

A bound series is a few numbers in a list: recording is a bisection into fixed bounds and some additions, 0.3 µs, where the OpenTelemetry
SDK's histogram takes several. Everything else, and all formatting, is left to whoever reads (openmetrics, metrics_otlp). Gauges are read when
somebody asks. The number of series stays bounded: what an attribute may be is known beforehand, and anything else counts as `other`.

Recorded and read in the event loop's thread; counters may also be read from what another thread counts.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from runtime import catalogue
from runtime.catalogue import Definition
from runtime.tracing import Span

NONE, OTHER = "none", "other"
"""For an attribute without a value, and for a value that nobody expected."""
ASK_S = 2.0
"""How long a reading waits for what has to be asked for; what does not come is left out of it."""

Values = tuple[str, ...]
"""Of a series' attributes, in the order of their definition."""
Read = Callable[[], Iterable[tuple[Values, float]]]
"""The series of a gauge, or of a counter that somebody else keeps, at this moment."""
Known = Mapping[str, Collection[str]]
"""Attribute → what it may be. Attributes that are not named are taken as they come: they are the caller's own words."""


class Exemplar(NamedTuple):
    """One value that was recorded, and the span in which it was."""

    value: float
    span: Span
    at_s: float
    """Unix seconds."""


class Series:
    """One series of a histogram."""

    __slots__ = ("_exemplars", "bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._exemplars: list[tuple[float, Span, float] | None] = [None] * (len(bounds) + 1)
        """What becomes the exemplar of each bucket: the last one."""

    def record(self, value: float, span: Span | None = None) -> None:
        """Counts `value`, in the definition's unit; the span in which it was becomes its bucket's exemplar."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.total += value
        if span is not None:
            self._exemplars[bucket] = (value, span, time.time())

    def exemplars(self) -> list[Exemplar | None]:
        """For each bucket the last one, if its trace is recorded anywhere."""
        return [Exemplar(*one) if one is not None and one[1].context.sampled else None for one in self._exemplars]

    @property
    def count(self) -> int:
        return sum(self.counts)


class Tally:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, number: int = 1) -> None:
        self.value += number


_S = TypeVar("_S", Series, Tally)


class _Bounded(dict[Values, _S]):
    """Series by their values; what is not known is found under `other` and not remembered by itself."""

    def __init__(self, definition: Definition, known: Known, new: Callable[[], _S]) -> None:
        super().__init__()
        self._known = tuple(known.get(attribute) for attribute in definition.attributes)
        self._new: Callable[[], _S] = new
        self.made: dict[Values, _S] = {}
        """By the values as they are told."""

    def __missing__(self, values: Values) -> _S:
        told = tuple(
            NONE if not value else value if known is None or value in known else OTHER
            for value, known in zip(values, self._known, strict=True)
        )
        series = self.made.get(told)
        if series is None:
            series = self.made[told] = self._new()
        if OTHER not in told:
            self[values] = series
        return series


class Histogram:
    """`of` gives a series to record into: kept where its values are always the same, looked up where they are not."""

    def __init__(self, definition: Definition, known: Known) -> None:
        self.definition = definition
        self._series = _Bounded(definition, known, lambda: Series(definition.bounds))

    def of(self, *values: str) -> Series:
        return self._series[values]

    def read(self) -> list[tuple[Values, Series]]:
        return list(self._series.made.items())


class Counter:
    """Counts here, or is told by `watch` of what is counted elsewhere."""

    def __init__(self, definition: Definition, known: Known) -> None:
        self.definition = definition
        self._tallies = _Bounded(definition, known, Tally)
        self._watched: list[Read] = []

    def of(self, *values: str) -> Tally:
        return self._tallies[values]

    def watch(self, read: Read) -> None:
        self._watched.append(read)

    def read(self) -> list[tuple[Values, float]]:
        counted = [(values, float(tally.value)) for values, tally in self._tallies.made.items()]
        return _summed((counted, *(read() for read in self._watched)))


class Gauge:
    """Asked when it is read. Of several that tell the same series, the sum is told."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._watched: list[Read] = []

    def watch(self, read: Read) -> None:
        self._watched.append(read)

    def read(self) -> list[tuple[Values, float]]:
        return _summed(read() for read in self._watched)


def _summed(readings: Iterable[Iterable[tuple[Values, float]]]) -> list[tuple[Values, float]]:
    sums: dict[Values, float] = {}
    for reading in readings:
        for values, number in reading:
            sums[values] = sums.get(values, 0.0) + number
    return list(sums.items())


class Reading(NamedTuple):
    """All that a process has to tell at one moment."""

    histograms: list[tuple[Definition, list[tuple[Values, Series]]]]
    numbers: list[tuple[Definition, list[tuple[Values, float]]]]
    """Of counters and gauges."""


class Metrics:
    """The instruments of one process."""

    def __init__(self) -> None:
        self.started_ns = time.time_ns()
        """Unix nanoseconds, since when it counts."""
        self._histograms: dict[Definition, Histogram] = {}
        self._counters: dict[Definition, Counter] = {}
        self._gauges: dict[Definition, Gauge] = {}
        self._asked: list[Callable[[], Awaitable[None]]] = []

    def histogram(self, definition: Definition, known: Known | None = None) -> Histogram:
        """The instrument, the same one each time; what is known is said by whoever is the first to ask for it."""
        found = self._histograms.get(definition)
        if found is None:
            found = self._histograms[definition] = Histogram(definition, known or {})
        return found

    def counter(self, definition: Definition, known: Known | None = None) -> Counter:
        found = self._counters.get(definition)
        if found is None:
            found = self._counters[definition] = Counter(definition, known or {})
        return found

    def gauge(self, definition: Definition) -> Gauge:
        found = self._gauges.get(definition)
        if found is None:
            found = self._gauges[definition] = Gauge(definition)
        return found

    def before_reading(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Called before each reading, at once with the others: for what has to be asked for. It must not raise."""
        self._asked.append(ask)

    async def read(self) -> Reading:
        """Asks what has to be asked, for ASK_S at most, and reads. Every metric of the catalogue is there, with or without series."""
        if self._asked:
            tasks = [asyncio.ensure_future(ask()) for ask in self._asked]
            done, late = await asyncio.wait(tasks, timeout=ASK_S)
            for task in late:
                task.cancel()
            for task in done:
                task.result()
        return self._reading()

    def _reading(self) -> Reading:
        reading = Reading([], [])
        for definition in catalogue.CATALOGUE:
            if definition.kind == catalogue.HISTOGRAM:
                histogram = self._histograms.get(definition)
                reading.histograms.append((definition, histogram.read() if histogram else []))
            else:
                told = self._counters.get(definition) or self._gauges.get(definition)
                reading.numbers.append((definition, told.read() if told else []))
        return reading
