"""Every record of every journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from contracts import subjects
from contracts.journal import Record, record_decoder
from lianji import records
from lianji.records import Progress
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogStore
from world import World


def journals_of(bus: Bus, world: World) -> list[LogStore]:
    """The journal of each shard."""
    return [JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard)) for shard in range(world.shards)]


def every_record(stores: Sequence[LogStore], progress: Progress) -> AsyncIterator[Record]:
    """Journal by journal (records.every_record)."""
    return records.every_record(stores, record_decoder.decode, progress)
