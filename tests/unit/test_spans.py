"""Spans as they are recorded: whose child each is, what goes together, what is not recorded at all."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from runtime import append_spans, otlp
from runtime.log import Appended, Fenced
from runtime.trace_context import TraceContext, parse_traceparent
from runtime.tracing import CLIENT, LOCAL_SPANS, SERVER, Attribute, Shape, Span, Tracer, message

WORK, PART = Shape("work", SERVER, {"lianji.shard": 3}), Shape("part")
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ABOVE = TraceContext(TRACE, PARENT)


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Tracer:
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "OTEL_BSP_MAX_QUEUE_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return Tracer("auth", "auth-a")


def exported(tracer: Tracer, *spans: Span) -> list[dict[str, Any]]:
    body = msgspec.json.decode(otlp.encode(tracer.resource, [otlp.span_of(span) for span in spans]))
    (resource,) = body["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    rows: list[dict[str, Any]] = scope["spans"]
    return rows


# ------------------------------------------------------------------ contexts


def test_a_traceparent_is_read_and_written() -> None:
    text = f"00-{TRACE}-{PARENT}-01"
    assert parse_traceparent(text) == ABOVE
    assert ABOVE.traceparent == text
    assert parse_traceparent(text[:-2] + "00") == TraceContext(TRACE, PARENT, sampled=False)
    assert parse_traceparent(f"01-{TRACE}-{PARENT}-03-more") == ABOVE, "a later version may say more behind"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'g' * 32}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0１",
        f"00-{TRACE}-{PARENT}-01\n",
    ],
)
def test_what_is_no_traceparent_starts_a_new_trace(text: str | None) -> None:
    assert parse_traceparent(text) is None


def test_a_tracestate_is_carried_on_unless_it_is_too_long(tracer: Tracer) -> None:
    above = parse_traceparent(ABOVE.traceparent, "vendor=abc,other=1")
    assert above is not None
    with tracer.span(WORK, parent=above) as top, tracer.span(PART, parent=top) as part:
        assert part.state == part.context.state == "vendor=abc,other=1"
    assert [row["traceState"] for row in exported(tracer, *tracer.take())] == ["vendor=abc,other=1"] * 2
    for useless in ("v=" + "x" * 511, "v=a\r\nb", "v=é", ""):
        found = parse_traceparent(ABOVE.traceparent, useless)
        assert found == ABOVE


# ------------------------------------------------------------------ parents


def test_a_trace_in_one_process_is_kept_when_its_root_ends(tracer: Tracer) -> None:
    root = tracer.span(WORK, attributes={"lianji.rrn": "010000000042"})
    with tracer.span(PART, parent=root) as part:
        below = tracer.span(PART, parent=part)
        below.end()
    assert tracer.take() == [], "the root may yet fail, and then they are worth more"
    root.end()
    spans = tracer.take()
    assert spans == [below, part, root]
    assert {span.trace_id for span in spans} == {root.trace_id}
    assert [span.parent_id for span in spans] == [part.span_id, root.span_id, ""]
    assert len({span.span_id for span in spans}) == 3
    rows = exported(tracer, *spans)
    assert [row.get("parentSpanId") for row in rows] == [rows[1]["spanId"], rows[2]["spanId"], ""]


def test_a_context_from_outside_is_the_parent(tracer: Tracer) -> None:
    with tracer.span(WORK, parent=ABOVE) as span:
        assert (span.trace_id, span.parent_id) == (TRACE, PARENT)
        assert parse_traceparent(span.traceparent) == span.context
    (row,) = exported(tracer, *tracer.take())
    assert (row["traceId"], row["parentSpanId"], row["spanId"]) == (TRACE, PARENT, span.context.span_id)


def test_what_ends_or_starts_after_its_root_goes_by_itself(tracer: Tracer) -> None:
    root = tracer.span(WORK)
    late = tracer.span(PART, parent=root)
    root.end()
    assert tracer.take() == [root]
    later = tracer.span(PART, parent=late)
    late.end()
    later.end()
    assert tracer.take() == [late, later]
    assert (late.parent_id, later.parent_id) == (root.span_id, late.span_id)
    assert later.trace_id == root.trace_id


def test_a_span_ends_once(tracer: Tracer) -> None:
    with tracer.span(WORK) as span:
        span.end()
        first = span.end_ns
    assert span.end_ns == first
    assert tracer.take() == [span]


def test_an_exception_marks_the_span_unless_it_has_said_why(tracer: Tracer) -> None:
    with pytest.raises(ValueError, match="secret"), tracer.span(WORK):
        raise ValueError("secret")
    told = tracer.span(WORK)
    told.error("96")
    with pytest.raises(ValueError, match="secret"), told:
        raise ValueError("secret")
    assert [span.error_text for span in tracer.take()] == ["ValueError", "96"]


def test_one_piece_of_work_cannot_fill_the_memory(tracer: Tracer) -> None:
    with tracer.span(WORK) as root:
        for _ in range(LOCAL_SPANS + 5):
            tracer.span(PART, parent=root).end()
    assert len(tracer.take()) == LOCAL_SPANS + 1
    assert tracer.queue.dropped == {"local": 5}
    assert tracer.queue.ended == LOCAL_SPANS + 6


# ------------------------------------------------------------------ what is not recorded


def test_who_says_not_sampled_is_not_recorded_and_says_so_on(tracer: Tracer) -> None:
    with tracer.span(WORK, parent=ABOVE._replace(sampled=False)) as top, tracer.span(PART, parent=top) as part:
        assert part.traceparent.endswith("-00")
        assert part.trace_id == TRACE
    assert tracer.take() == []
    assert tracer.queue.ended == 0


@pytest.mark.parametrize(
    ("sampler", "argument", "alone", "below_sampled", "below_not"),
    [
        ("parentbased_always_on", "", True, True, False),
        ("always_on", "", True, True, True),
        ("always_off", "", False, False, False),
        ("parentbased_always_off", "", False, True, False),
        ("traceidratio", "1", True, True, True),
        ("parentbased_traceidratio", "0", False, True, False),
    ],
)
def test_the_sampler_of_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, *, sampler: str, argument: str, alone: bool, below_sampled: bool, below_not: bool
) -> None:
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    if argument:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    tracer = Tracer("auth", "auth-a")
    parents = (None, ABOVE, ABOVE._replace(sampled=False))
    spans = [tracer.span(WORK, parent=parent) for parent in parents]
    assert [span.context.sampled for span in spans] == [alone, below_sampled, below_not]


def test_the_sdk_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracer = Tracer("auth", "auth-a")
    with tracer.span(WORK, parent=ABOVE) as span:
        assert span.traceparent.startswith(f"00-{TRACE}-")
    assert tracer.take() == []


# ------------------------------------------------------------------ as OTLP has it


def test_names_kinds_and_attributes(tracer: Tracer) -> None:
    shape = message("send", "auth.v1.{shard}.authorize", CLIENT)
    with tracer.span(shape, attributes={"a": "huaxing", "b": 7, "c": True, "d": 0.5}) as span:
        span.links = (ABOVE,)
        span.error("NoAnswer")
    (row,) = exported(tracer, *tracer.take())
    assert (row["name"], row["kind"]) == ("send auth.v1.{shard}.authorize", CLIENT)
    assert {a["key"]: a["value"] for a in row["attributes"]} == {
        "messaging.system": {"stringValue": "nats"},
        "messaging.operation.name": {"stringValue": "send"},
        "messaging.operation.type": {"stringValue": "send"},
        "messaging.destination.template": {"stringValue": "auth.v1.{shard}.authorize"},
        "a": {"stringValue": "huaxing"},
        "b": {"intValue": "7"},
        "c": {"boolValue": True},
        "d": {"doubleValue": 0.5},
    }
    assert row["status"] == {"code": 2, "message": "NoAnswer"}
    assert row["links"] == [{"traceId": TRACE, "spanId": PARENT}]
    assert int(row["startTimeUnixNano"]) <= int(row["endTimeUnixNano"])


def test_the_resource_says_who(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(of: Tracer) -> dict[str, str]:
        body = msgspec.json.decode(otlp.encode(of.resource, []))
        rows = body["resourceSpans"][0]["resource"]["attributes"]
        return {row["key"]: row["value"]["stringValue"] for row in rows}

    assert {"service.name": "auth", "service.instance.id": "auth-a"}.items() <= said(tracer).items()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "switch")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    other = said(Tracer("auth", "auth-a"))
    assert (other["service.name"], other["deployment.environment.name"]) == ("switch", "test")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("6291010000000018", "629101******0018"),
        ("pin=123456", "pin=****"),
        ("010000000042", "010000000042"),
        ('quoted "word"', 'quoted "word"'),
    ],
)
def test_text_is_masked_and_escaped(tracer: Tracer, text: str, shown: str) -> None:
    with tracer.span(WORK, attributes={"said": text}) as span:
        span.error(text)
    (row,) = exported(tracer, *tracer.take())
    assert row["attributes"][-1] == {"key": "said", "value": {"stringValue": shown}}
    assert row["status"]["message"] == shown


# ------------------------------------------------------------------ appends


async def test_the_span_of_an_append_says_its_group_and_its_wait(tracer: Tracer) -> None:
    loop = asyncio.get_running_loop()
    done, failed, cancelled = loop.create_future(), loop.create_future(), loop.create_future()
    span = tracer.span(PART)
    done.set_result(Appended(sequence=9, records=4, sent_ns=span.start_ns + 1_500_000))
    append_spans.end(span, done)
    assert span.attributes == {
        "lianji.group.sequence": 9,
        "lianji.group.records": 4,
        "lianji.group.wait_us": 1500,
    }
    failed.set_exception(Fenced("another owner"))
    append_spans.end(tracer.span(PART), failed)
    cancelled.cancel()
    append_spans.end(tracer.span(PART), cancelled)
    assert [ended.error_text for ended in tracer.take()] == ["Fenced", "cancelled", ""]


def test_what_recurs_is_told_like_what_is_told_for_the_first_time(tracer: Tracer) -> None:
    key = "lianji.of_a_test"
    values: list[Attribute] = [*(f"value {n}" for n in range(600)), "1", 1, True, 1.5, "pan 6291010000000018"]
    spans = [tracer.span(PART, attributes={key: value}) for value in [*values, *values]]
    for span in spans:
        span.end()
    shown = [row["attributes"] for row in exported(tracer, *spans)]
    first, again = shown[: len(values)], shown[len(values) :]
    assert first == again
    assert [row[0]["value"] for row in first[599:]] == [
        {"stringValue": "value 599"},
        {"stringValue": "1"},
        {"intValue": "1"},
        {"boolValue": True},
        {"doubleValue": 1.5},
        {"stringValue": "pan 629101******0018"},
    ]
