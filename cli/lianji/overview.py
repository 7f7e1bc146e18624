"""A stack at one look: what its processes tell on `/metrics`, summed up by service, bank, log and shard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from contracts.authorization import BALANCED, SETTLE_ERROR
from contracts.response_codes import APPROVED, RESPONSE_CODES
from lianji.distribution import Distribution, distributions
from lianji.scraping import Told, summed
from runtime import catalogue
from runtime.metrics import NONE
from runtime.openmetrics import name_of

GOOD = frozenset({APPROVED, BALANCED})
FAILED = frozenset({NONE, SETTLE_ERROR, *(row.code for row in RESPONSE_CODES.values() if row.retry_can_help)})
"""Response codes that say that something does not work: no answer, and those after which a repetition may go through."""

APART_S = 1.0
_STARTED = "process_start_time_seconds"
_NOTHING = Distribution({})


class TransactionRow(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    kind: str
    count: int
    per_s: float
    declined: int
    """Answered no, by the rules."""
    failed: int
    """Left unanswered, or answered that something does not work."""
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


class BankRow(msgspec.Struct, frozen=True, kw_only=True):
    institution: str
    asked: int
    no_answer: int
    not_delivered: int
    p50_s: float | None
    p95_s: float | None
    """Of what was answered."""
    queued: int
    """Reversals."""


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    log: str
    owner: str
    epoch: int
    sequence: int
    groups: int
    records: int
    p50_s: float | None
    p95_s: float | None
    unknown: int


class ShardRow(msgspec.Struct, frozen=True, kw_only=True):
    shard: str
    intents: int
    oldest_intent_s: float
    oldest_batch_s: float


class ProjectionRow(msgspec.Struct, frozen=True, kw_only=True):
    durable: str
    lag: int
    redelivered: int
    stopped: bool


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float
    """Over how many; 0: since each process started."""
    transactions: list[TransactionRow]
    banks: list[BankRow]
    logs: list[LogRow]
    shards: list[ShardRow]
    projections: list[ProjectionRow]
    not_ready: list[str]
    silent: list[str]
    """Processes that did not answer."""
    clocks_apart: dict[str, float]
    """Processes whose clock is more than APART_S from the asker's, and by how many seconds."""
    spans_ended: int
    spans_dropped: int
    spans_undelivered: int


class _Span:
    """Two looks at the same processes: what was counted in between. Without an earlier one, since they started."""

    def __init__(self, told: Sequence[Told], before: Sequence[Told]) -> None:
        # A process that was started again in between counts from zero, and all of it is of this time.
        started = {one.process: _first(one, _STARTED) for one in told}
        self.told = told
        self._before = [one for one in before if _first(one, _STARTED) == started.get(one.process)]

    def sums(self, definition: catalogue.Definition, *by: str, suffix: str = "") -> dict[tuple[str, ...], int]:
        name = name_of(definition) + suffix
        earlier = summed(self._before, name, *by)
        return {key: round(value - earlier.get(key, 0.0)) for key, value in summed(self.told, name, *by).items()}

    def distributions(self, definition: catalogue.Definition, *by: str) -> dict[tuple[str, ...], Distribution]:
        name = name_of(definition)
        earlier = distributions(self._before, name, *by)
        return {key: one.less(earlier.get(key, _NOTHING)) for key, one in distributions(self.told, name, *by).items()}

    def now(self, definition: catalogue.Definition, *by: str) -> dict[tuple[str, ...], float]:
        return summed(self.told, name_of(definition), *by)


def overview(
    told: Sequence[Told], before: Sequence[Told], silent: Sequence[str], *, service: str = "", seconds: float = 0.0
) -> Overview:
    """Of what processes tell now, and told `seconds` before; with `service`, of that one's processes only."""
    span = _Span([one for one in told if service in ("", one.service)], before)
    spans = (catalogue.SPANS_ENDED, catalogue.SPANS_DROPPED, catalogue.SPANS_UNDELIVERED)
    ended, dropped, undelivered = (sum(span.sums(definition).values()) for definition in spans)
    return Overview(
        seconds=seconds,
        transactions=_transactions(span, seconds),
        banks=_banks(span),
        logs=_logs(span),
        shards=_shards(span),
        projections=_projections(span),
        not_ready=_not_ready(span.told),
        silent=list(silent),
        clocks_apart=_clocks_apart(span.told),
        spans_ended=ended,
        spans_dropped=dropped,
        spans_undelivered=undelivered,
    )


def _first(told: Told, name: str) -> float:
    return next((sample.value for sample in told.of(name)), 0.0)


def _transactions(span: _Span, seconds: float) -> list[TransactionRow]:
    counts: dict[tuple[str, str], dict[str, int]] = {}
    by_code = span.sums(catalogue.TRANSACTION_DURATION, "service", "kind", "response_code", suffix="_count")
    for (service, kind, code), count in by_code.items():
        counts.setdefault((service, kind), {})[code] = count
    times = span.distributions(catalogue.TRANSACTION_DURATION, "service", "kind")
    rows = []
    for (service, kind), codes in sorted(counts.items()):
        count, time = sum(codes.values()), times[service, kind]
        lived_s = seconds or _lived_s(one for one in span.told if one.service == service)
        if count:
            rows.append(
                TransactionRow(
                    service=service,
                    kind=kind,
                    count=count,
                    per_s=count / lived_s if lived_s else 0.0,
                    declined=sum(n for code, n in codes.items() if code not in GOOD | FAILED),
                    failed=sum(n for code, n in codes.items() if code in FAILED),
                    p50_s=time.quantile(0.5),
                    p95_s=time.quantile(0.95),
                    p99_s=time.quantile(0.99),
                )
            )
    return rows


def _lived_s(told: Iterable[Told]) -> float:
    """Seconds since the first of them started, by their own clocks."""
    return max((_first(one, name_of(catalogue.CLOCK_TIME)) - _first(one, _STARTED) for one in told), default=0.0)


def _banks(span: _Span) -> list[BankRow]:
    asked = span.sums(catalogue.ISSUER_DURATION, "institution", "outcome", suffix="_count")
    times = span.distributions(catalogue.ISSUER_DURATION, "institution", "outcome")
    queued = span.now(catalogue.REVERSALS_QUEUED, "institution")
    rows = []
    for institution in sorted({key[0] for key in asked} | {key[0] for key in queued}):
        answered = times.get((institution, "answered"), _NOTHING)
        rows.append(
            BankRow(
                institution=institution,
                asked=sum(count for key, count in asked.items() if key[0] == institution),
                no_answer=asked.get((institution, "no_answer"), 0),
                not_delivered=asked.get((institution, "not_delivered"), 0),
                p50_s=answered.quantile(0.5),
                p95_s=answered.quantile(0.95),
                queued=int(queued.get((institution,), 0)),
            )
        )
    return rows


def _logs(span: _Span) -> list[LogRow]:
    epochs, sequences = span.now(catalogue.LOG_EPOCH, "log"), span.now(catalogue.LOG_SEQUENCE, "log")
    owners = {s.labels["log"]: one.process for one in span.told for s in one.of(name_of(catalogue.LOG_EPOCH))}
    groups = span.sums(catalogue.APPEND_RECORDS, "log", suffix="_count")
    records = span.sums(catalogue.APPEND_RECORDS, "log", suffix="_sum")
    unknown, times = span.sums(catalogue.APPEND_UNKNOWN, "log"), span.distributions(catalogue.APPEND_DURATION, "log")
    return [
        LogRow(
            log=log,
            owner=owners[log],
            epoch=int(epochs[(log,)]),
            sequence=int(sequences[(log,)]),
            groups=groups.get((log,), 0),
            records=records.get((log,), 0),
            p50_s=times.get((log,), _NOTHING).quantile(0.5),
            p95_s=times.get((log,), _NOTHING).quantile(0.95),
            unknown=unknown.get((log,), 0),
        )
        for log in sorted(owners)
    ]


def _shards(span: _Span) -> list[ShardRow]:
    oldest, batches = span.now(catalogue.INTENTS_OLDEST_AGE, "shard"), span.now(catalogue.BATCHES_OLDEST_AGE, "shard")
    return [
        ShardRow(
            shard=key[0],
            intents=int(count),
            oldest_intent_s=oldest.get(key, 0.0),
            oldest_batch_s=batches.get(key, 0.0),
        )
        for key, count in sorted(span.now(catalogue.INTENTS_OPEN, "shard").items())
    ]


def _projections(span: _Span) -> list[ProjectionRow]:
    lag, again = span.now(catalogue.CONSUMER_LAG, "durable"), span.now(catalogue.CONSUMER_REDELIVERED, "durable")
    return [
        ProjectionRow(
            durable=key[0], lag=int(lag.get(key, 0)), redelivered=int(again.get(key, 0)), stopped=bool(stopped)
        )
        for key, stopped in sorted(span.now(catalogue.PROJECTION_STOPPED, "durable").items())
    ]


def _not_ready(told: Iterable[Told]) -> list[str]:
    ready = name_of(catalogue.READY)
    return [f"{one.process}: {s.labels['check']}" for one in told for s in one.of(ready) if not s.value]


def _clocks_apart(told: Iterable[Told]) -> dict[str, float]:
    by_s = {one.process: round(_first(one, name_of(catalogue.CLOCK_TIME)) - one.at_s, 1) for one in told}
    return {process: apart_s for process, apart_s in by_s.items() if abs(apart_s) > APART_S}
