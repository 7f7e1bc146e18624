"""Instruments: what is counted where, how many series there can be, and how a reading looks to Prometheus and to OpenTelemetry."""

from __future__ import annotations

import asyncio
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_families

from contracts.response_codes import RESPONSE_CODES
from runtime import catalogue, logs, metrics, openmetrics
from runtime.metrics import Metrics, Reading, Series
from runtime.metrics_otlp import exported
from runtime.tracing import Shape, Span, Tracer
from runtime.transactions import CODES, KINDS, Transactions

ACCEPT = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BANKS = ("huaxing", "nanhai")


@pytest.fixture
def tracer() -> Tracer:
    return Tracer("auth", "auth-a")


@pytest.fixture
def measured(tracer: Tracer) -> tuple[Metrics, Span]:
    """Two sales, one of them with an exemplar, a repeated append, and a gauge."""
    told = Metrics()
    duration = told.histogram(catalogue.TRANSACTION_DURATION, {"institution": BANKS})
    span = tracer.span(Shape("decide authorization"))
    duration.of("sale", "00", "huaxing").record(0.004, span)
    duration.of("sale", "00", "huaxing").record(20.0)
    told.counter(catalogue.APPEND_UNKNOWN).of("journal.v1.0").add()
    told.gauge(catalogue.REVERSALS_QUEUED).watch(lambda: [(("nanhai",), 3)])
    return told, span


async def page(told: Metrics, tracer: Tracer, accept: str = ACCEPT) -> str:
    return openmetrics.text(await told.read(), tracer.resource.attributes, accept)[1].decode()


def test_a_value_counts_in_the_first_bucket_whose_bound_it_does_not_pass() -> None:
    series = Series((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 2.5):
        series.record(value)
    assert series.counts == [2, 2, 1]
    assert (series.count, series.total) == (5, 7.0)


def test_the_last_span_of_a_bucket_is_its_exemplar_if_its_trace_is_recorded(
    tracer: Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = Series((1.0,))
    series.record(0.5, tracer.span(Shape("first")))
    last = tracer.span(Shape("last"))
    series.record(0.25, last)
    series.record(0.125)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    series.record(2.0, Tracer("auth", "auth-a").span(Shape("not sampled")))
    exemplar, none = series.exemplars()
    assert exemplar is not None
    assert (exemplar.value, exemplar.span) == (0.25, last)
    assert none is None


words = st.sampled_from([*KINDS, *CODES, *BANKS, "", "other"]) | st.text(max_size=5)


@given(st.lists(st.tuples(words, words, words), max_size=200))
def test_the_series_are_bounded_whatever_comes(asked: list[tuple[str, str, str]]) -> None:
    transactions = Transactions(told := Metrics(), logs.get("test"), BANKS)
    for kind, code, institution in asked:
        with transactions.begin(kind, institution) as transaction:
            transaction.answered("x", code, None)
    series = dict(told.histogram(catalogue.TRANSACTION_DURATION).read())
    assert sum(one.count for one in series.values()) == len(asked), "each is counted"
    for kind, code, institution in series:
        assert kind in {*KINDS, "other", "none"}
        assert code in {*CODES, "other"}
        assert institution in {*BANKS, "other", "none"}


def test_what_nobody_expected_is_not_remembered() -> None:
    duration = Metrics().histogram(catalogue.TRANSACTION_DURATION, {"kind": KINDS})
    for number in range(1000):
        duration.of(f"kind {number}", "00", "huaxing").record(1.0)
    assert len(duration._series) == 0
    ((values, series),) = duration.read()
    assert (values, series.count) == (("other", "00", "huaxing"), 1000)


def test_what_is_left_unanswered_counts_with_no_response_code() -> None:
    transactions = Transactions(told := Metrics(), logs.get("test"), BANKS)

    def fail() -> None:
        with transactions.begin("sale", "huaxing"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    ((values, series),) = told.histogram(catalogue.TRANSACTION_DURATION).read()
    assert (values, series.count) == (("sale", "none", "huaxing"), 1)


def test_counters_and_gauges_add_up_what_several_tell_of_one_series() -> None:
    told = Metrics()
    dropped, queued = told.counter(catalogue.SPANS_DROPPED), told.gauge(catalogue.REVERSALS_QUEUED)
    dropped.of("full").add(2)
    dropped.watch(lambda: [(("full",), 3), (("pressure",), 1)])
    for number in (1, 2):
        queued.watch(lambda number=number: [(("huaxing",), number)])  # type: ignore[misc]
    assert sorted(dropped.read()) == [(("full",), 5.0), (("pressure",), 1.0)]
    assert queued.read() == [(("huaxing",), 3.0)]


async def test_what_has_to_be_asked_for_is_asked_first_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "ASK_S", 0.01)
    told, known, given_up = Metrics(), [0], asyncio.Event()

    async def ask() -> None:
        known[0] = 7

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    told.before_reading(ask)
    told.before_reading(never)
    told.gauge(catalogue.CONSUMER_LAG).watch(lambda: [(("x",), known[0])])
    reading = await told.read()
    assert (catalogue.CONSUMER_LAG, [(("x",), 7.0)]) in reading.numbers
    await asyncio.wait_for(given_up.wait(), 60)


def test_names_and_bounds_of_the_catalogue() -> None:
    assert len({d.name for d in catalogue.CATALOGUE}) == len(catalogue.CATALOGUE)
    declared = {value for value in vars(catalogue).values() if isinstance(value, catalogue.Definition)}
    assert declared == set(catalogue.CATALOGUE), "what is not listed is not told"
    for definition in catalogue.CATALOGUE:
        assert re.fullmatch(r"lianji(\.[a-z_]+){1,2}", definition.name)
        assert re.fullmatch(r"s|\{[a-z]+\}|", definition.unit)
        assert (definition.kind == catalogue.HISTOGRAM) == bool(definition.bounds)
        assert list(definition.bounds) == sorted(set(definition.bounds))


async def test_prometheus_reads_all_of_it_with_exemplars(measured: tuple[Metrics, Span], tracer: Tracer) -> None:
    told, span = measured
    families = {family.name: family for family in text_string_to_metric_families(await page(told, tracer))}
    names = {openmetrics.name_of(d).removesuffix("_total") for d in catalogue.CATALOGUE}
    assert names | {"target"} == {name for name in families if not name.startswith("process_")}
    assert "process_cpu_seconds" in families
    target = families["target"].samples[0].labels
    assert (target["service_name"], target["service_instance_id"]) == ("auth", "auth-a")
    duration = families["lianji_transaction_duration_seconds"]
    buckets = {s.labels["le"]: s for s in duration.samples if s.name.endswith("_bucket")}
    assert (buckets["0.003"].value, buckets["0.005"].value, buckets["15.0"].value, buckets["+Inf"].value) == (
        0,
        1,
        1,
        2,
    )
    exemplar = buckets["0.005"].exemplar
    assert exemplar is not None
    assert exemplar.labels == {"trace_id": span.context.trace_id, "span_id": span.context.span_id}
    assert exemplar.value == 0.004
    assert [bucket for bucket, sample in buckets.items() if sample.exemplar] == ["0.005"]
    labels = {"kind": "sale", "response_code": "00", "institution": "huaxing"}
    assert {key: value for key, value in buckets["+Inf"].labels.items() if key != "le"} == labels
    (unknown,) = families["lianji_append_unknown"].samples
    assert (unknown.name, unknown.labels, unknown.value) == ("lianji_append_unknown_total", {"log": "journal.v1.0"}, 1)
    (queued,) = families["lianji_reversals_queued"].samples
    assert (queued.labels, queued.value) == ({"institution": "nanhai"}, 3)


async def test_who_does_not_ask_for_openmetrics_gets_the_older_text(
    measured: tuple[Metrics, Span], tracer: Tracer
) -> None:
    content_type, body = openmetrics.text(await measured[0].read(), tracer.resource.attributes, "")
    assert content_type.startswith("text/plain; version=")
    text = body.decode()
    assert "# {" not in text, "it knows no exemplars"
    counts = [s for family in older_families(text) for s in family.samples if s.name.endswith("duration_seconds_count")]
    assert [s.value for s in counts] == [2.0]


async def test_opentelemetry_reads_the_same(measured: tuple[Metrics, Span], tracer: Tracer) -> None:
    told, span = measured
    data = exported(await told.read(), tracer.resource, started_ns=told.started_ns, at_ns=told.started_ns + 5)
    (resource,) = encode_metrics(data).resource_metrics
    said = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert (said["service.name"], said["service.instance.id"]) == ("auth", "auth-a")
    sent = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert set(sent) == {"lianji.transaction.duration", "lianji.append.unknown", "lianji.reversals.queued"}
    duration = sent["lianji.transaction.duration"]
    (point,) = duration.histogram.data_points
    assert (duration.unit, point.count, point.sum) == ("s", 2, 20.004)
    assert list(point.explicit_bounds) == list(catalogue.SECONDS)
    assert [n for n, count in enumerate(point.bucket_counts) if count] == [4, len(catalogue.SECONDS)]
    assert not point.HasField("min")
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id.hex(), exemplar.span_id.hex()) == (span.context.trace_id, span.context.span_id)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (told.started_ns, told.started_ns + 5)
    total = sent["lianji.append.unknown"].sum
    assert (total.is_monotonic, total.aggregation_temporality) == (True, 2)
    assert sent["lianji.reversals.queued"].gauge.data_points[0].as_double == 3


async def test_metrics_without_series_are_named_to_prometheus_and_left_out_of_an_export(tracer: Tracer) -> None:
    nothing = Metrics()
    assert "# TYPE lianji_log_epoch gauge" in await page(nothing, tracer)
    reading: Reading = await nothing.read()
    sent = encode_metrics(exported(reading, tracer.resource, started_ns=1, at_ns=2))
    assert not sent.resource_metrics[0].scope_metrics[0].metrics


def test_every_response_code_is_known() -> None:
    assert set(RESPONSE_CODES) < CODES
    assert math.inf not in catalogue.SECONDS, "the last bucket is not named"
