"""The verdict on a day: the invariants of `lianji verify`, and that what was acknowledged is there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

import world
from contracts import subjects
from lianji.errors import CliError
from lianji.verify.gather import gather
from lianji.verify.invariants import check
from lianji.verify.sources import Sources, memories
from runtime.sql import open_engine
from simulation.broker.streams import Store, Stream
from simulation.stage import Stage

PATIENCE_S = 90.0


class Breach(msgspec.Struct, frozen=True):
    """One thing that must not be, with its evidence."""

    invariant: str
    text: str


class StoredLog:
    """LogStore on a stream of the simulated broker, read from its disk."""

    def __init__(self, stream: Stream, subject: str) -> None:
        self._stream = stream
        self._subject = subject

    @property
    def name(self) -> str:
        return self._subject

    async def last_sequence(self) -> int:
        return self._stream.last

    async def append(self, payload: bytes, *, expected: int, message_id: str) -> int:
        raise NotImplementedError("the judge reads only")

    async def read(self, sequence: int) -> bytes | None:
        message = self._stream.messages.get(sequence)
        return None if message is None else message.data

    async def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        for number in range(sequence, last + 1):
            if number in self._stream.messages:
                yield number, self._stream.messages[number].data


def logs_of(store: Store) -> tuple[dict[str, StoredLog], dict[str, StoredLog]]:
    """The journals by shard and the ledgers by institution."""
    everything = world.built_in()
    journals = {
        str(shard): StoredLog(store.streams[subjects.journal_stream(shard)], subjects.journal(shard))
        for shard in range(everything.shards)
    }
    ledgers = {
        bank.id: StoredLog(store.streams[subjects.ledger_stream(bank.id)], subjects.ledger(bank.id))
        for bank in everything.institutions
    }
    return journals, ledgers


async def judge(stage: Stage) -> list[Breach]:
    """Waits until the world is at rest, and looks at all sides of it."""
    journals, ledgers = logs_of(stage.store)
    engine = open_engine(f"sqlite:///{stage.data_dir / 'settlement.db'}", read_only=True)
    sources = Sources(
        world=world.built_in(),
        journals=journals,
        ledgers=ledgers,
        settlement=engine,
        terminals=lambda: memories(stage.data_dir / "terminals"),
    )
    try:
        evidence = await gather(sources, patience_s=PATIENCE_S)
        breaches = [
            Breach(name, f"{row.subject}: {row.what} ({', '.join(f'{k}: {v}' for k, v in row.evidence.items())})")
            for name, finding in check(evidence).items()
            for row in finding.violations
        ]
        gone = {name.rpartition(" ")[2] for name in stage.gone}
        breaches += [
            Breach("rest", f"{id_}: its terminal still waits to reverse it")
            for id_ in evidence.waiting()
            if id_.partition(":")[0] not in gone
        ]
    except CliError as error:
        breaches = [Breach("rest", str(error))]
    finally:
        engine.dispose()
    return breaches + _lost(stage.store)


def _lost(store: Store) -> list[Breach]:
    """I13: every acknowledged append is there, under its sequence."""
    return [
        Breach("I13", f"{stream.name} {sequence}: acknowledged, and not what stands there")
        for stream in store.streams.values()
        if stream.config.get("max_msgs_per_subject", -1) < 1
        for sequence, data in stream.acknowledged.items()
        if sequence not in stream.messages or stream.messages[sequence].data != data
    ]
