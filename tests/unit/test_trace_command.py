"""A trace put together from the collector's files while services still export, and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.authorization import Totals
from contracts.journal import BatchClosed, Outcome, Record, Reversing
from contracts.states import State
from lianji.app import run
from lianji.commands.trace import due, is_whole
from lianji.journal import Entry
from lianji.tracing import hops, waterfall
from lianji.tracing.files import GrowingTrace, TraceFiles
from lianji.tracing.rows import SpanRow
from lianji.tracing.tree import tree
from tests.support_traces import Swipe, exported, span

OUTCOME = Outcome(id="t", state=State.APPROVED, response_code="00", at_ms=1)
DECLINE = Outcome(id="t", state=State.DECLINED, response_code="51", at_ms=1)
REVERSING = Reversing(id="t", reason="98", origin="terminal", at_ms=2)
CLOSED = BatchClosed(
    terminal="1",
    merchant="2",
    batch="000001",
    next_batch="000002",
    operator="001",
    stan="000001",
    rrn="000000000009",
    currency="156",
    totals=Totals(),
    at_ms=3,
)


def test_spans_are_found_as_they_are_written(tmp_path: Path) -> None:
    swipe = Swipe(1)
    first, second = exported(swipe.rows[:3]), exported([*Swipe(2).rows, *swipe.rows[3:]])
    directory = tmp_path / "traces"
    directory.mkdir()
    trace = GrowingTrace(TraceFiles(tmp_path), swipe.trace_id)
    assert trace.read() == []

    (directory / "00000001.jsonl").write_bytes(first + second[:40])
    assert trace.read() == swipe.rows[:3], "the second line is being written"
    (directory / "00000001.jsonl").write_bytes(first + second)
    (directory / "00000002.jsonl").write_bytes(first)
    assert trace.read() == swipe.rows
    assert trace.read() == swipe.rows, "nothing is found twice"


def row(name: str, span_id: str, parent_id: str = "") -> SpanRow:
    return span("auth", name, span_id, parent_id)


def test_a_span_whose_parent_is_missing_is_a_root() -> None:
    roots = tree([row("a", "1"), row("b", "2", "1"), row("c", "3", "9")])
    assert [node.row.name for node in roots] == ["a", "c"]
    assert [node.row.name for node in roots[0].children] == ["b"]


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        ([DECLINE], set()),
        ([OUTCOME], {hops.SLIPS, hops.CAPTURE}),
        ([OUTCOME, CLOSED], {hops.SLIPS, hops.CAPTURE, hops.CLOSED}),
        ([OUTCOME, REVERSING, CLOSED], {hops.SLIPS, hops.CAPTURE}),
        ([OUTCOME, CLOSED, REVERSING], {hops.SLIPS, hops.CAPTURE, hops.CLOSED}),
        ([DECLINE, CLOSED], set()),
    ],
)
def test_what_the_projections_add(records: list[Record], wanted: set[str]) -> None:
    assert due([Entry(number, 0, record) for number, record in enumerate(records, 1)]) == wanted


def test_a_trace_is_whole_with_its_head_every_parent_and_every_hop() -> None:
    swipe = Swipe(1)
    assert is_whole(swipe.rows, {hops.SLIPS, hops.CAPTURE})
    assert not is_whole(swipe.rows, {hops.CLOSED}), "the batch has been closed, and settlement has not followed yet"
    assert not is_whole(swipe.without(hops.RECEIVE), set()), "the gateway has not exported yet"
    assert not is_whole(swipe.without(hops.SWITCH), set()), "the switch has not exported yet"
    assert not is_whole(swipe.without(hops.VERIFY_PIN), set())
    assert not is_whole([], set())


def test_what_has_no_reference_number_is_shown_by_its_trace_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swipe = Swipe(1)
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "00000001.jsonl").write_bytes(exported(swipe.rows))
    assert run(("trace", swipe.trace_id, "--data-dir", str(tmp_path))) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"trace {swipe.trace_id}  ")
    assert shown.count("\n") >= len(swipe.rows)


# ------------------------------------------------------------------ the waterfall


def shown(rows: list[SpanRow], width: int = 100) -> list[str]:
    return [line.plain for line in waterfall.render(rows, width)]


def test_every_line_of_a_swipe_fits_a_terminal_of_100_columns() -> None:
    lines = shown([*Swipe(1).rows, Swipe(1).closed()])
    assert len(lines) == len(Swipe(1).rows) + 1
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("terminal-gw receive frame ")
    assert sum(line.startswith("issuer-sim") for line in lines) == 1, "a service is named where it begins"


BARS = len("terminal-gw ├ append journal.v1.{shard}    10.00 ")


def test_bars_stand_where_the_time_went_and_show_the_wait() -> None:
    wait = {"lianji.group.wait_us": "4000", "lianji.group.records": "12"}
    rows = [
        span("terminal-gw", "receive frame", "1", start_us=0, end_us=10_000),
        span("auth", "append journal.v1.{shard}", "2", "1", start_us=0, end_us=8_000, attributes=wait),
        span("auth", "other", "3", "1", start_us=5_000, end_us=10_000, error="96"),
        span("receipts", "file slip", "4", "1", start_us=30_000, end_us=31_000),
    ]
    frame, append, other, slips = (line[BARS:] for line in shown(rows))
    bar = frame.count("█")
    assert bar >= waterfall.NARROWEST_BAR
    assert abs(append.count("░") - append.count("█")) <= 1
    assert abs(append.count("░") + append.count("█") - 0.8 * bar) <= 1
    assert abs(len(other) - len(other.lstrip()) - bar / 2) <= 1
    assert other.endswith("error 96")
    assert append.endswith("group of 12")
    assert slips.split() == ["›", "+20", "ms"]
