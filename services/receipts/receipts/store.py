"""Slips in SQL: one transaction takes what a list of groups makes of them and the checkpoint, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from contracts.journal import Record
from receipts.domain.filing import File, FilingError, Names, Slip, needed
from receipts.domain.slip import Marks, SlipFacts
from receipts.schema import VOIDING, checkpoints, metadata, open_intents, slips
from runtime.sql import in_lists, make_tables

_facts = msgspec.json.Decoder(SlipFacts)
_encode = msgspec.json.Encoder().encode

_mine = checkpoints.c.partition == bindparam("shard")
_read_checkpoint = select(checkpoints.c.sequence).where(_mine).with_for_update()
_move_checkpoint = update(checkpoints).where(_mine).values(sequence=bindparam("sequence"))
_end = delete(open_intents).where(open_intents.c.transaction_id == bindparam("key"))
_reverse = (
    update(slips)
    .where(slips.c.transaction_id == bindparam("key"), slips.c.reversed_at_ms.is_(None))
    .values(reversed_at_ms=bindparam("reversed_at_ms"))
)
"""The first reversal counts: one that comes again when the switch has archived the transaction is a tombstone of the same."""


class StoredSlip(msgspec.Struct, frozen=True, kw_only=True):
    """A slip as it is kept, and what has come of it since."""

    facts: SlipFacts
    marks: Marks
    original: SlipFacts | None
    """What the slip of the transaction says that this one is about."""


class SlipStore:
    """The slips, open for writing. One instance per engine; each shard writes from its own thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        make_tables(engine, metadata)

    def checkpoint(self, partition: str) -> int:
        """Sequence of the last group that the tables hold, 0 before the first."""
        with self._engine.begin() as connection:
            return _checkpoint(connection, partition)

    @contextmanager
    def writing(self, partition: str) -> Iterator[Writing]:
        """One SQL transaction: committed when the block ends, undone by any exception. FilingError when the tables refuse a row."""
        with self._engine.begin() as connection:
            writing = Writing(connection, partition)
            try:
                yield writing
            except IntegrityError as error:
                raise FilingError(f"behind sequence {writing.sequence}: {error.orig}") from None


class Writing:
    """One SQL transaction on the slips of one shard; `sequence` is where its last one left them."""

    def __init__(self, connection: Connection, partition: str) -> None:
        self._connection = connection
        self._partition = partition
        self.sequence = _checkpoint(connection, partition)

    def file(self, names: Names, records: Iterable[Record]) -> File:
        """A File that knows what `records` need."""
        pending: dict[str, SlipFacts] = {}
        filed: set[str] = set()
        for ids in in_lists(sorted(needed(records))):
            intents = select(open_intents).where(open_intents.c.transaction_id.in_(ids))
            pending.update((row.transaction_id, _facts.decode(row.facts)) for row in self._connection.execute(intents))
            for others in in_lists(id for id in ids if id not in pending):
                query = select(slips.c.transaction_id).where(slips.c.transaction_id.in_(others))
                filed.update(self._connection.scalars(query))
        return File(names, pending, filed)

    def save(self, file: File, sequence: int) -> None:
        """Writes what the file holds as new or changed, and `sequence` as the checkpoint."""
        execute = self._connection.execute
        if began := file.began:
            rows = [{"transaction_id": id, "facts": _encode(facts).decode()} for id, facts in began.items()]
            execute(insert(open_intents), rows)
        if ended := file.ended:
            execute(_end, [{"key": id} for id in sorted(ended)])
        if file.slips:
            execute(insert(slips), [self._row(slip, file) for slip in file.slips.values()])
        if old := [id for id in file.reversed if id not in file.slips]:
            execute(_reverse, [{"key": id, "reversed_at_ms": file.reversed[id]} for id in old])
        execute(_move_checkpoint, {"shard": self._partition, "sequence": sequence})

    def _row(self, slip: Slip, file: File) -> dict[str, object]:
        return {
            "rrn": slip.facts.rrn,
            "transaction_id": slip.transaction,
            "shard": self._partition,
            "sequence": slip.sequence,
            "position": slip.position,
            "facts": _encode(slip.facts).decode(),
            "reversed_at_ms": file.reversed.get(slip.transaction),
            "voids": slip.voids,
        }


class SlipReader:
    """Questions, over an engine that only reads; call it off the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def checkpoints(self) -> dict[str, int]:
        with self._engine.begin() as connection:
            return {row.partition: row.sequence for row in connection.execute(select(checkpoints))}

    def slip(self, rrn: str) -> StoredSlip | None:
        with self._engine.begin() as connection:
            row = connection.execute(select(slips).where(slips.c.rrn == rrn)).one_or_none()
            if row is None:
                return None
            facts = _facts.decode(row.facts)
            original = connection.scalar(select(slips.c.facts).where(slips.c.transaction_id == facts.original))
            voids = select(slips.c.rrn).where(
                slips.c.voids == row.transaction_id, VOIDING, slips.c.reversed_at_ms.is_(None)
            )
            marks = Marks(reversed=row.reversed_at_ms is not None, voided=connection.execute(voids).first() is not None)
        return StoredSlip(facts=facts, marks=marks, original=_facts.decode(original) if original else None)


def _checkpoint(connection: Connection, partition: str) -> int:
    """The sequence, held against other writers until the transaction ends; the row is made at the first call."""
    sequence = connection.scalar(_read_checkpoint, {"shard": partition})
    if sequence is None:
        connection.execute(insert(checkpoints), {"partition": partition, "sequence": 0})
        return 0
    return int(sequence)
