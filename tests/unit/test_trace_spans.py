"""A trace put together from export files that services are still writing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from contracts.authorization import Totals
from contracts.journal import BatchClosed, Outcome, Record, Reversing
from contracts.states import State
from lianji.commands.trace import due, is_whole
from lianji.journal import Entry
from lianji.spans import SpanRow, TraceFiles, tree
from runtime.otlp import encode
from runtime.tracing import Tracer

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
CAPTURE, SETTLED = ("post to ledger", "capture"), ("post to ledger", "settlement")
SLIPS = ("render slips", "")


def exported(tracer: Tracer) -> bytes:
    return encode(tracer, tracer.take()) + b"\n"


@pytest.fixture
def tracer() -> Tracer:
    return Tracer("terminal-gw", "terminal-gw")


def test_spans_are_found_as_they_are_written_and_after_a_file_was_renamed(tmp_path: Path, tracer: Tracer) -> None:
    root = tracer.span("receive frame", kind="server", attributes={"rrn": "000000000001"})
    tracer.span("another trace").end()
    with tracer.span("verify MAC", parent=root) as below:
        below.error("A0")
    first = exported(tracer)
    root.end()
    second = exported(tracer)
    path = tmp_path / "terminal-gw.jsonl"
    files = TraceFiles(tmp_path, root.context.trace_id)

    path.write_bytes(first + second[:40])
    assert [(row.name, row.error) for row in files.read()] == [("verify MAC", "A0")]
    path.write_bytes(first + second)
    path.rename(tmp_path / "terminal-gw.jsonl.1")
    path.write_bytes(b"")
    rows = files.read()
    assert [row.name for row in rows] == ["receive frame", "verify MAC"]
    assert rows[0].attributes == {"rrn": "000000000001"}
    assert rows[0].service == "terminal-gw"
    assert files.read() == rows, "nothing is found twice"


def row(name: str, span_id: str, parent_id: str = "", kind: str = "") -> SpanRow:
    attributes = {"lianji.entry_kind": kind} if kind else {}
    return SpanRow("auth", name, span_id, parent_id, 1, 2, attributes, "")


def test_a_span_whose_parent_is_missing_is_a_root() -> None:
    roots = tree([row("a", "1"), row("b", "2", "1"), row("c", "3", "9")])
    assert [node.row.name for node in roots] == ["a", "c"]
    assert [node.row.name for node in roots[0].children] == ["b"]


@pytest.mark.parametrize(
    ("records", "hops"),
    [
        ([DECLINE], set()),
        ([OUTCOME], {SLIPS, CAPTURE}),
        ([OUTCOME, CLOSED], {SLIPS, CAPTURE, SETTLED}),
        ([OUTCOME, REVERSING, CLOSED], {SLIPS, CAPTURE}),
        ([OUTCOME, CLOSED, REVERSING], {SLIPS, CAPTURE, SETTLED}),
        ([DECLINE, CLOSED], set()),
    ],
)
def test_what_the_projections_add(records: list[Record], hops: set[tuple[str, str]]) -> None:
    assert due([Entry(number, 0, record) for number, record in enumerate(records, 1)]) == hops


def test_a_trace_is_whole_with_root_parents_and_every_hop() -> None:
    rows = [row("receive frame", "1"), row("decide", "2", "1"), row("post to ledger", "3", "2", "capture")]
    assert is_whole(rows, {CAPTURE})
    assert is_whole(rows, set())
    assert not is_whole(rows, {CAPTURE, SETTLED})
    assert not is_whole(rows[1:], {CAPTURE}), "the gateway has not exported yet"
    assert not is_whole([rows[0], rows[2]], {CAPTURE}), "the switch has not exported yet"
    assert not is_whole([], set())


def test_an_export_is_json_lines(tracer: Tracer) -> None:
    tracer.span("x").end()
    assert b"\n" not in exported(tracer)[:-1]
    tracer.span("x").end()
    assert msgspec.json.decode(exported(tracer))
