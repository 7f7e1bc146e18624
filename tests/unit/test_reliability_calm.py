"""What the tools for calm make of what they measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.page import between
from reliability.lines.run import Plan, shared_out
from reliability.lines.run import Result as Lines
from reliability.lines.run import Row as LineRow
from reliability.lines.run import text as lines_text
from reliability.overload.run import Phase
from reliability.overload.run import Result as Overload
from reliability.overload.run import text as overload_text
from reliability.page import PAGE
from reliability.rolling.run import Row
from reliability.rolling.run import text as rolling_text
from reliability.selling import failed
from reliability.soak.run import Growth, growth
from reliability.soak.run import Result as Soak
from reliability.soak.run import text as soak_text
from terminal_sim.profiles import LineKind
from terminal_sim.results import SwipeResult
from terminal_sim.tally import Tally


def test_a_failed_sale_is_one_that_a_good_card_did_not_get() -> None:
    tally = Tally()
    for result in (
        SwipeResult(rc="00"),
        SwipeResult(rc="96"),
        SwipeResult(pending=True),
        SwipeResult(refused="no line"),
    ):
        tally.count(result, 1_500_000)
    report = tally.report(terminals=1, duration_s=1, pending=0)
    assert (failed(report), report.refused) == (2, 1), "who dials again has not failed"
    assert (report.slow, report.approved_p50_us) == (2, 1_500_000)


def test_growth_is_from_after_the_warm_up_to_the_end() -> None:
    assert growth([1.0] * 20 + [100.0] * 50 + [110.0] * 50) == Growth(first_mib=100.0, last_mib=110.0, most_mib=110.0)
    assert growth([1.0] * 20 + [100.0] * 100).percent == 0
    assert round(growth([100.0, 100.0, 100.0, 150.0]).percent) == 50


PAGES = {
    "rolling": (
        rolling_text(
            [Row(name="auth-a", restarts=3, slowest_s=1.25, sales=1200, failed=1, how={"none": 1}, dialled_again=2, longest_wait_ms=204.4, p99_ms=88)],
            rate=200,
            cpus=2,
        ),
        "3 processes replaced on 2 cores at 200 sales a second: 1,200 sales, 1 failed, 2 times a terminal had to dial again.",
        "| auth-a | 3 | 1.2 | 1,200 | 1 | 204 | 88 |",
    ),
    "overload": (
        overload_text(
            Overload(
                capacity_s=1000,
                phases=[
                    Phase(
                        share=share, offered_s=1000 * share, answered_s=900, shed_s=5, failed=0, p50_ms=20, p99_ms=90,
                        rss_mib={"terminal-gw": 60, "auth-a": 40}, normal_after_s=after,
                    )
                    for share, after in ((0.5, 0.0), (2.0, 0.0), (0.5, 2.0))
                ],
            ),
            stack=1,
            terminals=2,
        ),
        "with 1 core for the stack and 2 cores for the terminals; after the overload back to normal within 2 s.",
        "| 0.5× again | 500 | 900 | 5 | 0 | 20.0 | 90 | 60 | 100 |",
    ),
    "soak": (
        soak_text(
            Soak(
                minutes=30, rate=400, sales=720_000, failed=0, slow=72, p50_ms=9, p99_ms=80, longest_ms=1200,
                batches_closed=7200, memory={"auth-a": Growth(first_mib=100, last_mib=104, most_mib=105)},
            ),
            cpus=2,
        ),
        "720,000 sales, 0 failed, 72 (0.01 %) above one second",
        "| auth-a | 100.0 | 104.0 | +4.0 % | 105.0 |",
    ),
    "lines": (
        lines_text(
            Lines(
                loss=0.05, seed=3, terminals=250, sales=1000,
                rows=[
                    LineRow(
                        link="dial", terminals=250, swipes=1000, approved=950, unanswered=50, reversals=50, calls=1120, failed_calls=20,
                        stalled=60, half_open=4, cut=46, doubled=1, how=["…"], seconds=[1.0, 21.25, 88.0],
                    )
                ],
            )
        ),
        "1,000 sales, 5 % of segments lost beside what the lines lose anyway, seed 3: 0 lost, 1 charged that should not be, 50 reversals.",
        "| dial | 250 | 1,000 | 950 | 0 | 50 | 50 | 1,120 | 20 | 60 | 4 | 46 | 0 | 1 | 21.2 | 88.0 | 88.0 |",
    ),
}  # fmt: skip


def test_each_kind_of_line_has_terminals_of_its_own() -> None:
    kinds = (LineKind.GPRS, LineKind.DIAL)
    (_, gprs), (_, dial) = shared_out(Plan(kinds, swipes=1000, loss=0.05, seed=1))
    assert len(dial) > len(gprs), "a call takes long"
    assert not {t.tid for t in gprs} & {t.tid for t in dial}
    assert [len(facts) for _, facts in shared_out(Plan(kinds, swipes=3, loss=0.05, seed=1))] == [3, 3]


@pytest.mark.parametrize("name", PAGES)
def test_what_is_printed_has_its_place_on_the_page(name: str) -> None:
    text, said, row = PAGES[name]
    assert said in text
    assert row in text
    assert text in between(Path(PAGE).read_text(encoding="utf-8"), name, text)
