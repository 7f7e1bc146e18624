"""What is given to `lianji verify` and cannot be used is one line that names it; what others have written into the traces does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from lianji.errors import CliError
from lianji.tracing.rows import SpanRow
from lianji.verify.acknowledged import Acknowledgement, _of_span, of_file
from lianji.verify.stack import _engine

APPEND = "append journal.v1.{shard}"
TOLD = {"lianji.shard": "1", "lianji.record": "intent", "lianji.group.sequence": "7"}


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("", "settlement: missing; give the URL of its database, or the --data-dir where it is"),
        ("no url", "settlement: not an SQLAlchemy URL; write it like sqlite:////data/settlement.db"),
        ("sqlite:////nowhere/at/all.db", "settlement: there is no file /nowhere/at/all.db"),
        ("sqlite://", "settlement: there is no file None"),
        ("mystery://host/db", "settlement: not an SQLAlchemy URL"),
        ("postgresql+psycopg://127.0.0.1:1/x", "settlement: the database cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_used(url: str, line: str) -> None:
    with pytest.raises(CliError) as caught:
        _engine("settlement", url, None)
    assert str(caught.value).startswith(line)
    assert not Path("/nowhere").exists()


def test_acknowledgements_that_were_written_down(tmp_path: Path) -> None:
    path = tmp_path / "acks.jsonl"
    path.write_text('{"log":"l","sequence":3}\n{"log":"l","sequence":4,"digest":"d"}\n{"log":"l","seq')
    assert list(of_file(path)) == [Acknowledgement("l", 3), Acknowledgement("l", 4, "d")]
    path.write_text('{"log":"l","sequence":"3"}\n')
    with pytest.raises(CliError, match=r"acks: .*acks.jsonl line 1: Expected `int`"):
        list(of_file(path))
    with pytest.raises(CliError, match=r"acks: .*gone cannot be read: No such file"):
        list(of_file(tmp_path / "gone"))


def row(name: str = APPEND, error: str = "", **attributes: str) -> SpanRow:
    told = {**TOLD, **{f"lianji.{key.replace('_', '.')}": value for key, value in attributes.items()}}
    return SpanRow("auth", "t" * 32, name, "s", "", 1_000_000, 2_000_000, told, error)


def test_a_span_of_an_append_is_a_witness() -> None:
    assert _of_span(row()) == Acknowledgement(
        "journal.v1.1", 7, witness="span", record="intent", trace="t" * 32, at_ms=2
    )


@pytest.mark.parametrize(
    "span",
    [
        row("append ledger.v1.{institution}"),
        row(error="Fenced"),
        row(record="other"),
        row(shard=""),
        row(shard="one"),
        row(group_sequence=""),
        row(group_sequence="-7"),
    ],
)
def test_a_span_of_something_else_is_none(span: SpanRow) -> None:
    assert _of_span(span) is None
