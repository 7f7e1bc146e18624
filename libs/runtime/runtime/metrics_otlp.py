"""A reading in OpenTelemetry's own data model, and the SDK's exporter for it. Sums are cumulative.

Imported by those who export only: the exporter brings requests and protobuf.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Exemplar as ExportedExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from runtime.catalogue import COUNTER, Definition
from runtime.metrics import Exemplar, Reading, Series, Values


def exporter(timeout_s: float) -> MetricExporter:
    """The SDK's, which reads endpoint, headers and compression from the `OTEL_EXPORTER_OTLP_*` variables."""
    return OTLPMetricExporter(timeout=timeout_s)


def exported(reading: Reading, resource: Resource, *, started_ns: int, at_ns: int) -> MetricsData:
    """What the exporter takes; metrics without series are left out. Times are Unix nanoseconds."""
    metrics = [_histogram(definition, series, started_ns, at_ns) for definition, series in reading.histograms if series]
    metrics += [_numbers(definition, numbers, started_ns, at_ns) for definition, numbers in reading.numbers if numbers]
    scope = ScopeMetrics(InstrumentationScope("lianji"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _attributes(definition: Definition, values: Values) -> dict[str, str]:
    return dict(zip(definition.attributes, values, strict=True))


def _histogram(definition: Definition, series: Iterable[tuple[Values, Series]], started_ns: int, at_ns: int) -> Metric:
    points = [
        HistogramDataPoint(
            attributes=_attributes(definition, values),
            start_time_unix_nano=started_ns,
            time_unix_nano=at_ns,
            count=one.count,
            sum=one.total,
            bucket_counts=tuple(one.counts),
            explicit_bounds=definition.bounds,
            min=None,  # type: ignore[arg-type]  # optional in the protocol, and nobody keeps it
            max=None,  # type: ignore[arg-type]
            exemplars=[_exemplar(exemplar) for exemplar in one.exemplars() if exemplar is not None],
        )
        for values, one in series
    ]
    return Metric(
        definition.name, definition.description, definition.unit, Histogram(points, AggregationTemporality.CUMULATIVE)
    )


def _exemplar(exemplar: Exemplar) -> ExportedExemplar:
    context = exemplar.span.context
    return ExportedExemplar(
        {}, exemplar.value, int(exemplar.at_s * 1e9), int(context.span_id, 16), int(context.trace_id, 16)
    )


def _numbers(definition: Definition, numbers: Iterable[tuple[Values, float]], started_ns: int, at_ns: int) -> Metric:
    points = [NumberDataPoint(_attributes(definition, values), started_ns, at_ns, number) for values, number in numbers]
    data = (
        Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        if definition.kind == COUNTER
        else Gauge(points)
    )
    return Metric(definition.name, definition.description, definition.unit, data)
