"""Finding a transaction in its journal by its reference number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from contracts import subjects
from contracts.identity import identity_of, shard_of_rrn
from contracts.journal import (
    BatchClosed,
    BatchUnbalanced,
    BreakFound,
    CryptogramUploaded,
    Intent,
    Record,
    SignedOn,
    Tombstone,
    record_decoder,
)
from lianji.errors import CliError
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogStore, decode_group
from world import built_in

Numbered = Intent | SignedOn | Tombstone | BatchClosed | BatchUnbalanced
"""The records that were given a reference number; within a shard the numbers only grow."""


class Entry(NamedTuple):
    """A record and where it stands."""

    sequence: int
    position: int
    record: Record


def open_journal(bus: Bus, rrn: str) -> LogStore:
    """The journal of the shard that gave out `rrn`; raises CliError."""
    try:
        shard = shard_of_rrn(rrn)
    except ValueError as error:
        raise CliError(str(error)) from None
    if shard >= built_in().shards:
        raise CliError(f"rrn: {rrn} is of shard {shard}, and there are {built_in().shards}")
    return JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard))


async def _records(store: LogStore, sequence: int) -> list[Record]:
    payload = await store.read(sequence)
    return [record_decoder.decode(bytes(raw)) for raw in decode_group(payload).records] if payload else []


async def _first_number(store: LogStore, sequence: int, last: int) -> tuple[int, str]:
    """The first group from `sequence` on that gave out a number, and the first it gave; ("~" sorts behind all) when there is none."""
    while sequence <= last:
        for record in await _records(store, sequence):
            if isinstance(record, Numbered):
                return sequence, record.rrn
        sequence += 1
    return sequence, "~"


async def find(store: LogStore, rrn: str) -> Entry | None:
    """The record that was given `rrn`: by halving, for numbers grow with the sequence. A few reads, however long the journal is."""
    last = await store.last_sequence()
    low, high = 1, last + 1  # the group that gave `rrn` is at or behind `low`, and before `high`
    while high - low > 1:
        middle = (low + high) // 2
        _, number = await _first_number(store, middle, high - 1)
        low, high = (middle, high) if number <= rrn else (low, middle)
    for sequence in range(low, min(high + 1, last + 1)):
        for index, record in enumerate(await _records(store, sequence)):
            if isinstance(record, Numbered) and record.rrn == rrn:
                return Entry(sequence, index, record)
    return None


async def history(store: LogStore, rrn: str) -> AsyncIterator[Entry]:
    """All that the journal says of the transaction with `rrn`, in order; raises CliError when nothing has that number."""
    start = await find(store, rrn)
    if start is None:
        raise CliError(f"rrn: {rrn} is not in {store.name}")
    yield start
    if not isinstance(start.record, Intent | Tombstone):
        return
    id_, place = start.record.id, (start.record.terminal, start.record.batch)
    last = await store.last_sequence()
    async for sequence, payload in store.read_from(start.sequence, last):
        for index, raw in enumerate(decode_group(payload).records):
            if (sequence, index) <= (start.sequence, start.position):
                continue
            record = record_decoder.decode(bytes(raw))
            closes = isinstance(record, BatchClosed | BatchUnbalanced) and (record.terminal, record.batch) == place
            told = isinstance(record, BreakFound | CryptogramUploaded) and (*place, record.stan) == identity_of(id_)
            if closes or told or getattr(record, "id", "") == id_:
                yield Entry(sequence, index, record)
