"""From figures to the page: marks, tables, markers, and the file in between."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from bench import page, report
from bench.errors import BenchError
from bench.figures import Figures
from bench.load import Load
from bench.marks import journal_marks, marks_of
from bench.report import (
    CHAIN,
    PATH,
    PATH_UNTRACED,
    PORTED,
    PORTED_UNTRACED,
    JournalReport,
    Measured,
    PathReport,
    SideReport,
    SizeReport,
    side_report,
    this_run,
)
from bench.rounds import Runs


def figures(cost: float) -> Figures:
    return Figures(
        p50_us=1000 * cost,
        p99_us=3000 * cost,
        tx_s=2000 / cost,
        cpu_us={"a": 100 * cost, "b": 10 * cost},
        synced={"journal": cost},
        backlog=7 * cost,
    )


def side(cost: float) -> SideReport:
    return SideReport(
        alone=figures(cost), loaded=figures(cost), at_rates={"500": figures(cost)}, memory_mib={"a": 50.4}
    )


RUN = this_run(rounds=5, duration_s=3.0, concurrency=64)
PATH_REPORT = PathReport(
    run=RUN,
    sides={PATH: side(1.5), PATH_UNTRACED: side(1.2), CHAIN: side(1.0), PORTED: side(4.0), PORTED_UNTRACED: side(2.0)},
    owner_bytes=1234.5,
    owner_transactions=50_000,
)


def size(transactions: int, cost: float, kept: int) -> SizeReport:
    return SizeReport(
        transactions=transactions,
        kept=kept,
        replay_start_s=6.5,
        replay_ms=1500.0,
        start_s=5.0,
        switch_mib=100.0 + kept / 2**10,
        bank_mib=60.0,
        alone=figures(cost),
        loaded=figures(cost),
    )


JOURNAL_REPORT = JournalReport(run=RUN, sizes=[size(0, 1.0, 0), size(100_000, 1.25, 1024)])


def test_marks_are_ratios_of_one_run() -> None:
    marks = marks_of(PATH_REPORT)
    assert [round(mark.measured, 3) for mark in marks] == [0.667, 1.5, 1.5, 1.25, 2.667]
    assert [mark.kept for mark in marks] == [False, False, True, True, True]
    (longer,) = journal_marks(JOURNAL_REPORT)
    assert (longer.measured, longer.kept) == (1.25, False)


def test_the_page_says_every_figure_beside_the_others() -> None:
    text = page.path_text(PATH_REPORT)
    assert "| tx/s, 64 in flight, path over bare chain | 0.67 | ≥ 1 | ≥ 2 | no |" in text
    assert "| p50 µs, one at a time | 1,500 | 1,200 | 1,000 | 4,000 | 2,000 |" in text
    assert "| 500 | 1,500 / 4,500 (10) | 1,200 / 3,600 (8) | 1,000 / 3,000 (7) |" in text
    assert "- path: a 150, b 15" in text
    assert "1,234 bytes per transaction of an open batch (50,000 of them)" in text
    assert text.startswith("Medians of 5 rounds of 3 s a side and load, in turns")


def test_the_page_says_what_a_long_journal_costs() -> None:
    text = page.journal_text(JOURNAL_REPORT)
    assert "| transactions journalled | 0 | 100,000 |" in text
    assert "| p50 µs, one at a time | 1,000 (1.00×) | 1,250 (1.25×) |" in text
    assert "| of it, bytes per transaction in memory |  | 1,024 |" in text


def test_markers_are_kept_and_asked_for() -> None:
    text = "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n"
    once = page.between(text, "bench", "new")
    assert once == "before\n<!-- bench -->\n\nnew\n\n<!-- /bench -->\nafter\n"
    assert page.between(once, "bench", "new") == once
    with pytest.raises(BenchError, match="no <!-- bench-journal -->"):
        page.between(text, "bench-journal", "new")


def test_the_page_has_its_markers() -> None:
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in ("bench", "bench-journal"):
        assert page.between(text, name, "x") != text


def test_each_command_renews_its_own_part(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    assert report.read(file) == Measured()
    report.write(Measured(path=PATH_REPORT), file)
    measured = report.read(file)
    measured.journal = JOURNAL_REPORT
    report.write(measured, file)
    again = report.read(file)
    assert again.path is not None
    assert again.path.sides[CHAIN] == PATH_REPORT.sides[CHAIN]
    assert again.journal == JOURNAL_REPORT
    file.write_text('{"path": 1}')
    with pytest.raises(BenchError, match="remove it and measure again"):
        report.read(file)


def test_one_side_of_all_runs() -> None:
    runs: Runs = {}
    loads = (Load(1.0, concurrency=64), Load(1.0, rate=250.0), Load(1.0, concurrency=1))
    for number, load in enumerate(loads, 1):
        runs[load] = defaultdict(list)
        runs[load]["a"] += [figures(number), figures(number * 3), figures(number * 2)]
    made = side_report("a", runs, {"a": 1.0})
    assert (made.alone, made.loaded, made.at_rates) == (figures(6), figures(2), {"250": figures(4)})
