"""Who has been told of an append: each is evidence that a group stands at a sequence, from outside of the log itself.

acks        an optional file of acknowledgements, one JSON object a line, written by whoever drives a fault: {"log", "sequence", "digest"}
snapshots   a snapshot names the group that it was made of, by sequence and digest, once that was acknowledged
spans       the span of an append that was acknowledged names the group that its record stands in
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts import subjects
from lianji.errors import CliError
from lianji.tracing.files import TraceFiles
from lianji.tracing.rows import SpanRow
from lianji.verify.facts import Facts
from runtime.log import Position


class Acknowledgement(msgspec.Struct, frozen=True):
    """An append that somebody was told is durable."""

    log: str
    """The log's subject."""
    sequence: int
    digest: str = ""
    """SHA-256 of the group's payload, hex; empty: not known."""
    witness: str = "acks"
    record: str = ""
    """Of a span: intent | outcome | decline | reversing."""
    trace: str = ""
    """Of a span: its trace id."""
    at_ms: int = 0
    """Of a span: when it ended, milliseconds since the epoch; 0: not known."""


class Holding(NamedTuple):
    """What an account has, and what of that is set aside, minor units."""

    balance_minor: int
    held_minor: int = 0


class Mark(msgspec.Struct, frozen=True):
    """What a snapshot says: where its log stood, and of a bank what its accounts have (None: too large to be read here)."""

    log: str
    position: Position
    accounts: dict[str, Holding] | None = None


_line = msgspec.json.Decoder(Acknowledgement)
_RECORDS = frozenset({"intent", "outcome", "decline", "reversing"})
_APPEND = f"append {subjects.JOURNAL_TEMPLATE}"


def read(facts: Facts, acknowledgements: Iterable[Acknowledgement]) -> Iterator[int]:
    """Fills the table `acks`; counts as it goes."""
    facts.table("acks", *Acknowledgement.__struct_fields__)
    rows = map(msgspec.structs.astuple, acknowledgements)
    yield from facts.writing("INSERT INTO acks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def of_marks(marks: Iterable[Mark]) -> Iterator[Acknowledgement]:
    for mark in marks:
        yield Acknowledgement(mark.log, mark.position.sequence, mark.position.digest, "snapshot")


def of_file(path: Path) -> Iterator[Acknowledgement]:
    """Raises CliError for a line that is none; a last line without its end was being written."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _ack(path, number, line)
    except OSError as error:
        raise CliError(f"acks: {path} cannot be read: {error.strerror}") from None


def _ack(path: Path, number: int, line: bytes) -> Acknowledgement:
    try:
        return _line.decode(line)
    except msgspec.MsgspecError as error:
        raise CliError(f"acks: {path} line {number}: {error}") from None


def of_spans(data_dir: Path) -> Iterator[Acknowledgement]:
    """The switch's appends in the traces of a data directory, as far as they have been kept."""
    files = TraceFiles(data_dir)
    for segment in files.segments():
        for row in files.rows(segment.path, (b"lianji.group.sequence",)):
            acknowledged = _of_span(row)
            if acknowledged is not None:
                yield acknowledged


def _of_span(row: SpanRow) -> Acknowledgement | None:
    """None: of something else. Anybody may send the collector spans, so nothing is taken for granted."""
    attributes = row.attributes
    record, shard = attributes.get("lianji.record", ""), attributes.get("lianji.shard", "")
    sequence = attributes.get("lianji.group.sequence", "")
    if row.name != _APPEND or row.error or record not in _RECORDS or not (shard.isdecimal() and sequence.isdecimal()):
        return None
    log = subjects.journal(int(shard))
    at_ms = row.end_ns // 1_000_000
    return Acknowledgement(log, int(sequence), witness="span", record=record, trace=row.trace_id, at_ms=at_ms)
