"""The newest traces, one line each; every trace counted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lianji.app import run
from lianji.tracing import hops
from lianji.tracing.check import count
from lianji.tracing.files import TraceFiles
from lianji.tracing.listing import Wanted, newest
from lianji.tracing.rows import SpanRow
from tests.support_traces import START_NS, Swipe, exported, span

SECOND_US = 1_000_000


class Kept:
    """A data directory with traces in it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.directory = data_dir / "traces"
        self.directory.mkdir()

    def segment(self, number: int, *exports: list[SpanRow], ended_us: int = 0) -> Path:
        path = self.directory / f"{number:08d}.jsonl"
        path.write_bytes(b"".join(exported(rows) for rows in exports))
        if ended_us:
            os.utime(path, ns=(START_NS + ended_us * 1000,) * 2)
        return path

    @property
    def files(self) -> TraceFiles:
        return TraceFiles(self.data_dir)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def rrns(kept: Kept, **wanted: object) -> list[str]:
    return [row.rrn for row in newest(kept.files, Wanted(**wanted))]  # type: ignore[arg-type]


# ------------------------------------------------------------------ the list


def test_the_newest_come_first_over_all_segments(kept: Kept) -> None:
    for number in (1, 2, 3):
        at_us = number * SECOND_US
        kept.segment(number, Swipe(number, at_us=at_us).rows, ended_us=at_us + 500)
    assert rrns(kept) == ["000000000003", "000000000002", "000000000001"]
    assert rrns(kept, limit=2) == ["000000000003", "000000000002"]
    assert rrns(kept, since_ns=START_NS + 2 * SECOND_US * 1000) == ["000000000003", "000000000002"]


def test_a_trace_that_was_exported_over_two_segments_is_one(kept: Kept) -> None:
    swipe = Swipe(1)
    kept.segment(1, swipe.rows[9:], ended_us=400)
    kept.segment(2, swipe.rows[:9], ended_us=500)
    (row,) = newest(kept.files, Wanted(limit=1))
    assert (row.spans, row.missing, row.orphans) == (len(swipe.rows), [], 0)
    assert row.services == ["auth", "issuer-sim", "receipts", "settlement", "terminal-gw"]
    assert (row.rrn, row.terminal, row.kind, row.code, row.institution) == (
        "000000000001",
        "10000001",
        "sale",
        "00",
        "huaxing",
    )


def test_errors_and_slow_ones_alone(kept: Kept) -> None:
    kept.segment(1, Swipe(1).rows, Swipe(2, code="51", at_us=10).rows)
    assert rrns(kept, errors=True) == ["000000000002"]
    slow = [row._replace(end_ns=row.start_ns + 2_000_000) if not row.parent_id else row for row in Swipe(3).rows]
    kept.segment(2, slow)
    assert rrns(kept, slow_ms=1.9) == ["000000000003"]


def test_a_trace_of_somebody_else_is_shown_by_its_name(kept: Kept) -> None:
    kept.segment(1, [span("till", "checkout", "1"), span("till", "scan", "2", "1")])
    (row,) = newest(kept.files, Wanted())
    assert (row.name, row.rrn, row.spans, row.missing) == ("checkout", "", 2, [])


def test_a_simulator_above_the_frame_does_not_hide_the_swipe(kept: Kept) -> None:
    swipe = Swipe(1)
    above = span("till", "checkout", "7", trace_id=swipe.trace_id)
    rows = [row if row.parent_id else row._replace(parent_id="7") for row in swipe.rows]
    kept.segment(1, [above], rows)
    (row,) = newest(kept.files, Wanted())
    assert (row.rrn, row.spans, row.orphans, row.missing) == ("000000000001", len(swipe.rows) + 1, 0, [])


# ------------------------------------------------------------------ the count


def test_whole_traces_are_counted(kept: Kept) -> None:
    kept.segment(1, *(Swipe(number).rows for number in range(1, 51)))
    kept.segment(2, Swipe(51, code="51").rows, [span("terminal-gw", "receive frame", "1")])
    found = count(kept.files)
    assert (found.traces, found.swipes, found.whole) == (52, 51, 51)
    assert found.clean


NOT_OF_EVERY_SALE = {hops.RECEIVE, hops.DECLINE, hops.REVERSING, hops.CLOSED}


@pytest.mark.parametrize("hop", [hop for hop in hops.ALL if hop not in NOT_OF_EVERY_SALE])
def test_a_hop_that_is_lost_is_missed(kept: Kept, hop: str) -> None:
    kept.segment(1, Swipe(1).rows, Swipe(2).without(hop))
    found = count(kept.files)
    assert (found.swipes, found.whole) == (2, 1)
    assert found.missing[hop] == 1
    assert [row.rrn for row in found.examples] == ["000000000002"]
    assert not found.clean


@pytest.mark.parametrize(("hop", "below"), [(hops.SWITCH, 5), (hops.ASK_BANK, 1), (hops.BANK, 4)])
def test_spans_whose_parent_is_nowhere_are_orphans(kept: Kept, hop: str, below: int) -> None:
    kept.segment(1, Swipe(1).without(hop))
    assert count(kept.files).orphans == below


def test_a_trace_without_its_beginning_is_counted_apart(kept: Kept) -> None:
    kept.segment(1, Swipe(1).without(hops.RECEIVE))
    found = count(kept.files)
    assert (found.traces, found.swipes, found.headless, found.orphans) == (1, 0, 1, 4)
    assert not found.clean


def test_a_span_that_came_twice_counts_once(kept: Kept) -> None:
    kept.segment(1, Swipe(1).rows, Swipe(1).rows[:2])
    found = count(kept.files)
    assert (found.whole, found.duplicates, found.spans) == (1, 2, len(Swipe(1).rows))


def test_what_a_bank_declined_needs_no_slip(kept: Kept) -> None:
    rows = Swipe(1, code="51").rows
    assert not {hops.hop_of(row) for row in rows} & {hops.SLIPS, hops.CAPTURE}
    kept.segment(1, rows)
    assert count(kept.files).clean


@pytest.mark.parametrize(
    ("present", "unheard", "code", "wanted"),
    [
        ({hops.ASK_SWITCH, hops.SWITCH, hops.DECLINE}, set(), "04", {hops.DECLINE, hops.SEND_ANSWER}),
        ({hops.ASK_SWITCH}, {hops.ASK_SWITCH}, "96", {hops.SEND_ANSWER}),
        ({hops.ASK_SWITCH}, set(), "58", {hops.SWITCH, hops.SEND_ANSWER}),
        ({hops.ASK_SWITCH, hops.SWITCH, hops.REPEATED}, set(), "00", {hops.SWITCH, hops.SEND_ANSWER}),
        (
            {hops.ASK_SWITCH, hops.SWITCH, hops.INTENT, hops.ASK_BANK, hops.REVERSING},
            {hops.ASK_BANK},
            "98",
            {hops.REVERSING},
        ),
        ({hops.ASK_SWITCH, hops.SWITCH, hops.REVERSING}, {hops.ASK_SWITCH}, None, {hops.SWITCH, hops.REVERSING}),
        (set(), set(), None, set()),
    ],
)
def test_what_is_due_depends_on_what_became_of_it(
    present: set[str], unheard: set[str], code: str | None, wanted: set[str]
) -> None:
    due = hops.due({} if code is None else {"lianji.response_code": code}, present, unheard)
    assert wanted <= due
    assert hops.SLIPS not in due
    assert hops.BANK not in due
    assert (hops.SEND_ANSWER in due) is (code is not None)


def test_lines_that_nobody_can_read_are_counted(kept: Kept) -> None:
    path = kept.segment(1, Swipe(1).rows)
    path.write_bytes(b'{"resourceSpans": 3}\n\xff\xfe\n' + path.read_bytes() + b'{"resourceSp')
    found = count(kept.files)
    assert (found.unreadable, found.whole) == (2, 1), "the last line is being written"
    assert not found.clean


# ------------------------------------------------------------------ the command


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["traces", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command(kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    kept.segment(1, Swipe(1).rows, Swipe(2, code="51", at_us=10).without(hops.VERIFY_PIN))
    data = ("--data-dir", str(kept.data_dir))
    code, out, _ = said(capsys, *data)
    header, second, first = out.splitlines()
    assert code == 0
    assert header.split() == ["time", "RRN", "or", "name", "terminal", "kind", "code", "bank", "ms", "spans", "missing"]
    assert second.split()[1:5] == ["000000000002", "10000001", "sale", "51"]
    assert second.rstrip().endswith("verify PIN")
    assert first.split()[1:] == ["000000000001", "10000001", "sale", "00", "huaxing", "0.3", "16", "in", "5"]
    code, out, _ = said(capsys, *data, "--json", "--errors")
    assert [row["rrn"] for row in json.loads(out)] == ["000000000002"]
    assert said(capsys, *data, "--since", "10m")[:2] == (0, "none\n")
    code, out, _ = said(capsys, *data, "--check")
    assert code == 1
    assert "2 of swipes, 1 with every hop; missing hops: verify PIN × 1" in out
    code, out, _ = said(capsys, *data, "--check", "--json")
    assert json.loads(out)["missing"] == {"verify PIN": 1}
    kept.segment(1, Swipe(1).rows)
    assert said(capsys, *data, "--check")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--since", "tomorrow"], "since: 'tomorrow' is no age; write it like 90s, 10m, 2h or 1d"),
        (["--limit", "0"], "limit: 0 is not between 1 and 10000"),
        (["--slow", "-1"], "slow: -1.0 is not between 0 and 3600000"),
    ],
)
def test_what_is_wrong_is_named(
    kept: Kept, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    code, _, err = said(capsys, "--data-dir", str(kept.data_dir), *arguments)
    assert code == 2
    assert complaint in err


def test_without_traces_it_says_where_it_looked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "--data-dir", str(tmp_path))
    assert code == 1
    assert f"no collector has kept traces in {tmp_path / 'traces'}" in err
