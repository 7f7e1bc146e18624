"""A reading as text for Prometheus: OpenMetrics with exemplars for whoever accepts it, else the older text format (prometheus_client writes it).

Names by OpenTelemetry's rules for Prometheus: dots become underscores, the unit and, for counters, `_total` stand at the end. The resource is
`target_info`. Beside our own there is what the library knows of any process: `process_cpu_seconds_total`, `process_resident_memory_bytes` and so on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as TextExemplar
from prometheus_client.utils import floatToGoString

from runtime.catalogue import COUNTER, Definition
from runtime.metrics import Exemplar, Reading, Series, Values

_UNITS = {"s": "seconds"}

_process = ProcessCollector(registry=CollectorRegistry())


def name_of(definition: Definition) -> str:
    """As a query names it; a histogram's has `_bucket`, `_sum` or `_count` behind it.

    >>> from runtime import catalogue
    >>> name_of(catalogue.SPANS_ENDED), name_of(catalogue.TRANSACTION_DURATION)
    ('lianji_spans_ended_total', 'lianji_transaction_duration_seconds')
    """
    unit = _UNITS.get(definition.unit, "")
    name = definition.name.replace(".", "_") + (f"_{unit}" if unit else "")
    return name + "_total" if definition.kind == COUNTER else name


class Page(Collector):
    """One reading, as the library takes it."""

    def __init__(self, reading: Reading, resource: Mapping[str, object]) -> None:
        self._reading = reading
        self._resource = resource

    def collect(self) -> Iterator[Metric]:
        labels = {_label(key): str(value) for key, value in self._resource.items()}
        yield InfoMetricFamily("target", "What the process is (OpenTelemetry resource).", value=labels)
        for definition, series in self._reading.histograms:
            yield _histogram(definition, series)
        for definition, numbers in self._reading.numbers:
            yield _numbers(definition, numbers)
        yield from _process.collect()


def text(reading: Reading, resource: Mapping[str, object], accept: str) -> tuple[str, bytes]:
    """Content type and body, in the format that `accept` (the header) asks for."""
    encode, content_type = choose_encoder(accept)
    return content_type, encode(Page(reading, resource))


def _label(key: str) -> str:
    return key.replace(".", "_")


def _histogram(definition: Definition, series: Iterable[tuple[Values, Series]]) -> Metric:
    family = HistogramMetricFamily(name_of(definition), definition.description, labels=definition.attributes)
    bounds = [floatToGoString(bound) for bound in (*definition.bounds, math.inf)]  # type: ignore[no-untyped-call]
    for values, one in series:
        exemplars = (_exemplar(exemplar) for exemplar in one.exemplars())
        buckets = list(zip(bounds, accumulate(one.counts), exemplars, strict=True))
        family.add_metric(values, buckets, one.total)  # type: ignore[arg-type]  # without an exemplar it is None there
    return family


def _exemplar(exemplar: Exemplar | None) -> TextExemplar | None:
    if exemplar is None:
        return None
    context = exemplar.span.context
    return TextExemplar({"trace_id": context.trace_id, "span_id": context.span_id}, exemplar.value, exemplar.at_s)


def _numbers(definition: Definition, numbers: Iterable[tuple[Values, float]]) -> Metric:
    kind = CounterMetricFamily if definition.kind == COUNTER else GaugeMetricFamily
    family = kind(name_of(definition), definition.description, labels=definition.attributes)
    for values, number in numbers:
        family.add_metric(values, number)
    return family
