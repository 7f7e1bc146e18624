"""`lianji metrics`: what several processes tell, summed up; quantiles as Prometheus reckons them; what came between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.response_codes import RESPONSE_CODES
from lianji.distribution import Distribution
from lianji.overview import FAILED, GOOD, overview
from lianji.scraping import Sample, Told, parse
from runtime import catalogue, openmetrics
from runtime.metrics import Metrics, Series
from runtime.tracing import Tracer

ACCEPT = "application/openmetrics-text; version=1.0.0"
NOW_S = 1_769_832_000.0


@dataclass
class Process:
    """One process whose page is read."""

    name: str
    service: str
    told: Metrics = field(default_factory=Metrics)
    started_s: float = NOW_S - 100
    clock_s: float = NOW_S

    def answered(self, kind: str, code: str, *times_s: float) -> None:
        for time_s in times_s:
            self.told.histogram(catalogue.TRANSACTION_DURATION).of(kind, code, "huaxing").record(time_s)

    async def look(self) -> Told:
        resource = Tracer(self.service, self.name).resource.attributes
        page = openmetrics.text(await self.told.read(), resource, ACCEPT)[1].decode()
        told = parse(self.name, page, NOW_S)
        started = Sample("process_start_time_seconds", {}, self.started_s)
        kept = (sample for sample in told.samples if sample.name != started.name)
        return told._replace(samples=(*kept, started, Sample("lianji_clock_time_seconds", {}, self.clock_s)))


async def test_replicas_are_one_service_and_what_fails_is_no_decline() -> None:
    a, b = Process("auth-a", "auth"), Process("auth-b", "auth", started_s=NOW_S - 50)
    a.answered("sale", "00", 0.002, 0.002)
    a.answered("sale", "51", 0.002)
    b.answered("sale", "none", 10.0)
    b.answered("sale", "91", 0.002)
    b.answered("settlement", "1", 0.002)
    b.answered("settlement", "2", 0.002)
    shown = overview([await a.look(), await b.look()], [], [])
    sale, settlement = shown.transactions
    assert (sale.service, sale.kind, sale.count, sale.declined, sale.failed) == ("auth", "sale", 5, 1, 2)
    assert sale.per_s == 5 / 100
    assert (settlement.count, settlement.declined, settlement.failed) == (2, 1, 0)
    assert sale.p50_s is not None
    assert 0.001 < sale.p50_s <= 0.002
    assert sale.p99_s is not None
    assert 5.0 < sale.p99_s <= 10.0


async def test_between_two_looks_only_what_came_in_between_counts() -> None:
    a, b = Process("auth-a", "auth"), Process("auth-b", "auth")
    a.answered("sale", "00", *[10.0] * 9)
    b.answered("sale", "00", *[10.0] * 9)
    before = [await a.look(), await b.look()]
    a.answered("sale", "00", 0.002)
    again = Process("auth-b", "auth", started_s=NOW_S - 1)
    again.answered("sale", "00", 0.002, 0.002)
    (row,) = overview([await a.look(), await again.look()], before, [], seconds=2.0).transactions
    assert (row.count, row.per_s) == (3, 1.5), "a process that was started again has counted from zero"
    assert row.p99_s is not None
    assert row.p99_s <= 0.002
    quiet = [await a.look(), await again.look()]
    assert overview(quiet, quiet, [], seconds=2.0).transactions == []


async def test_what_an_operator_must_see_is_there() -> None:
    gone, odd = Process("receipts", "receipts"), Process("auth-a", "auth", clock_s=NOW_S + 3600)
    odd.told.gauge(catalogue.READY).watch(lambda: [(("broker",), 1.0), (("journal.v1.0",), 0.0)])
    odd.told.gauge(catalogue.LOG_EPOCH).watch(lambda: [(("journal.v1.0",), 4)])
    odd.told.gauge(catalogue.LOG_SEQUENCE).watch(lambda: [(("journal.v1.0",), 17)])
    odd.told.histogram(catalogue.ISSUER_DURATION).of("nanhai", "no_answer").record(10.0)
    odd.told.gauge(catalogue.REVERSALS_QUEUED).watch(lambda: [(("nanhai",), 2)])
    odd.told.counter(catalogue.SPANS_DROPPED).of("full").add(3)
    gone.told.gauge(catalogue.PROJECTION_STOPPED).watch(lambda: [(("receipts_JOURNAL_0",), 1)])
    gone.told.gauge(catalogue.CONSUMER_LAG).watch(lambda: [(("receipts_JOURNAL_0",), 12)])
    told = [await odd.look(), await gone.look()]
    shown = overview(told, [], ["settlement"])
    assert shown.not_ready == ["auth-a: journal.v1.0"]
    assert shown.silent == ["settlement"]
    assert shown.clocks_apart == {"auth-a": 3600.0}
    assert shown.spans_dropped == 3
    (bank,) = shown.banks
    assert (bank.institution, bank.asked, bank.no_answer, bank.p50_s, bank.queued) == ("nanhai", 1, 1, None, 2)
    (log,) = shown.logs
    assert (log.log, log.owner, log.epoch, log.sequence) == ("journal.v1.0", "auth-a", 4, 17)
    (projection,) = shown.projections
    assert (projection.durable, projection.lag, projection.stopped) == ("receipts_JOURNAL_0", 12, True)
    of_one = overview(told, [], [], service="receipts")
    assert (of_one.banks, of_one.logs, of_one.not_ready) == ([], [], [])
    assert len(of_one.projections) == 1


@given(st.lists(st.floats(0, 20), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_in_the_bucket_of_the_value_at_its_rank(values: list[float], share: float) -> None:
    series = Series(catalogue.SECONDS)
    for value in values:
        series.record(value)
    running, counts = 0, {}
    for bound, count in zip((*catalogue.SECONDS, float("inf")), series.counts, strict=True):
        running += count
        counts[bound] = float(running)
    found = Distribution(counts).quantile(share)
    assert found is not None
    rank = share * len(values)
    at_rank = sorted(values)[max(0, -int(-rank // 1) - 1)]
    above = [bound for bound in catalogue.SECONDS if bound >= at_rank]
    high = above[0] if above else catalogue.SECONDS[-1]
    below = [bound for bound in catalogue.SECONDS if bound < at_rank]
    assert (below[-1] if below else 0.0) <= found <= high


def test_nothing_has_no_quantile() -> None:
    assert Distribution({}).quantile(0.5) is None
    assert Distribution({1.0: 0, float("inf"): 0}).quantile(0.5) is None


@pytest.mark.parametrize("code", RESPONSE_CODES)
def test_a_code_after_which_a_repetition_may_go_through_is_a_failure(code: str) -> None:
    assert (code in FAILED) == RESPONSE_CODES[code].retry_can_help
    assert not GOOD & FAILED
