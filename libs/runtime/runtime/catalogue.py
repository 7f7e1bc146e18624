"""Every metric of the project: its OpenTelemetry name, unit, kind, attributes and, for a histogram, its bucket bounds.

Units are UCUM's, as OpenTelemetry's conventions for metrics ask: `s`, or in braces what is counted. What a name becomes in Prometheus is
written where the text is made (openmetrics). docs/observability.md says the same for people; a test holds the two together.
"""

from __future__ import annotations

from typing import NamedTuple

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

SECONDS: tuple[float, ...] = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075),
    *(0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 15.0),
)
"""From half a millisecond, below which no synced append comes back, to the gateway's patience with the switch (15 s)."""
RECORDS: tuple[float, ...] = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""0: the empty group with which an owner proves itself; 512: the most that a group takes."""


class Definition(NamedTuple):
    """One metric."""

    name: str
    unit: str
    kind: str
    description: str
    attributes: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Upper bounds, inclusive; above the last there is one bucket more."""


TRANSACTION_DURATION = Definition(
    "lianji.transaction.duration",
    "s",
    HISTOGRAM,
    "From the question to its answer, as this service sees it; a response_code of none: it was left unanswered.",
    ("kind", "response_code", "institution"),
    SECONDS,
)
ISSUER_DURATION = Definition(
    "lianji.issuer.duration",
    "s",
    HISTOGRAM,
    "From the switch's question to a bank to its end: answered, no_answer or not_delivered.",
    ("institution", "outcome"),
    SECONDS,
)
BREAKER_OPEN = Definition(
    "lianji.issuer.breaker_open",
    "",
    GAUGE,
    "1 while the switch asks a bank no more because it has been silent.",
    ("institution",),
)
BREAKER_REFUSED = Definition(
    "lianji.issuer.unasked",
    "{question}",
    COUNTER,
    "Questions to a bank that were not asked because it has been silent.",
    ("institution",),
)
APPEND_DURATION = Definition(
    "lianji.append.duration",
    "s",
    HISTOGRAM,
    "From the hand-over of a group to the broker to its acknowledgement, with repetitions.",
    ("log",),
    SECONDS,
)
APPEND_WAIT = Definition(
    "lianji.append.wait",
    "s",
    HISTOGRAM,
    "How long the first record of a group waited until the group was handed over.",
    ("log",),
    SECONDS,
)
APPEND_RECORDS = Definition("lianji.append.records", "{record}", HISTOGRAM, "Records in a group.", ("log",), RECORDS)
APPEND_UNKNOWN = Definition(
    "lianji.append.unknown", "{append}", COUNTER, "Appends of unknown outcome, which were repeated.", ("log",)
)
LOG_EPOCH = Definition("lianji.log.epoch", "", GAUGE, "The owner's term of office; of owners only.", ("log",))
LOG_SEQUENCE = Definition(
    "lianji.log.sequence", "", GAUGE, "Sequence of the last acknowledged group; of owners only.", ("log",)
)
LOG_DAMAGED = Definition(
    "lianji.log.damaged",
    "",
    GAUGE,
    "1 when the log was found damaged and is not served here; of its contenders.",
    ("log",),
)
INTENTS_OPEN = Definition("lianji.intents.open", "{intent}", GAUGE, "Intents without an outcome.", ("shard",))
INTENTS_OLDEST_AGE = Definition(
    "lianji.intents.oldest_age",
    "s",
    GAUGE,
    "Age of the oldest intent without an outcome; 0 when there is none.",
    ("shard",),
)
REVERSALS_QUEUED = Definition(
    "lianji.reversals.queued", "{reversal}", GAUGE, "Reversals that a bank has yet to acknowledge.", ("institution",)
)
ADVICES_QUEUED = Definition(
    "lianji.advices.queued",
    "{advice}",
    GAUGE,
    "Approvals that the switch has given in a bank's stead and the bank has yet to be told.",
    ("institution",),
)
ADVICES_REFUSED = Definition(
    "lianji.advices.refused",
    "{advice}",
    COUNTER,
    "Advices that a bank has refused for good: it will never book what was approved in its stead.",
    ("institution",),
)
BATCHES_OLDEST_AGE = Definition(
    "lianji.batches.oldest_age",
    "s",
    GAUGE,
    "Age of the first transaction of the oldest open batch; 0 when there is none.",
    ("shard",),
)
CONSUMER_LAG = Definition(
    "lianji.consumer.lag", "{group}", GAUGE, "Groups of the log that are not projected yet.", ("durable",)
)
CONSUMER_REDELIVERED = Definition(
    "lianji.consumer.redelivered", "{group}", GAUGE, "Groups delivered again and not acknowledged yet.", ("durable",)
)
PROJECTION_STOPPED = Definition(
    "lianji.projection.stopped", "", GAUGE, "1 when a group that cannot be projected has stopped it.", ("durable",)
)
SHED = Definition(
    "lianji.shed",
    "{sale}",
    COUNTER,
    "Sales refused because there was no room for them; nothing was done for them.",
    ("reason",),
)
SPANS_ENDED = Definition("lianji.spans.ended", "{span}", COUNTER, "Spans ended.")
SPANS_DROPPED = Definition(
    "lianji.spans.dropped", "{span}", COUNTER, "Spans dropped before they could be exported.", ("reason",)
)
SPANS_EXPORTED = Definition("lianji.spans.exported", "{span}", COUNTER, "Spans that have been exported.")
SPANS_UNDELIVERED = Definition("lianji.spans.undelivered", "{span}", COUNTER, "Spans that the collector did not take.")
READY = Definition("lianji.ready", "", GAUGE, "1 when the readiness check holds, 0 when it does not.", ("check",))
CLOCK_TIME = Definition("lianji.clock.time", "s", GAUGE, "Unix time by this process's clock.")

CATALOGUE = (
    TRANSACTION_DURATION,
    ISSUER_DURATION,
    BREAKER_OPEN,
    BREAKER_REFUSED,
    APPEND_DURATION,
    APPEND_WAIT,
    APPEND_RECORDS,
    APPEND_UNKNOWN,
    LOG_EPOCH,
    LOG_SEQUENCE,
    LOG_DAMAGED,
    INTENTS_OPEN,
    INTENTS_OLDEST_AGE,
    REVERSALS_QUEUED,
    ADVICES_QUEUED,
    ADVICES_REFUSED,
    BATCHES_OLDEST_AGE,
    CONSUMER_LAG,
    CONSUMER_REDELIVERED,
    PROJECTION_STOPPED,
    SHED,
    SPANS_ENDED,
    SPANS_DROPPED,
    SPANS_EXPORTED,
    SPANS_UNDELIVERED,
    READY,
    CLOCK_TIME,
)
