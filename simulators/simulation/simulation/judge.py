"""The verdict on a day: the invariants of `lianji verify`, over what the simulated broker and the day's databases hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing

import msgspec
from sqlalchemy import Engine

import receipts.rebuild
import settlement.rebuild
import world
from contracts import subjects
from contracts.journal import record_decoder
from issuer_sim.domain.accounts import load
from lianji.errors import CliError
from lianji.verify import Sources, check, gather
from lianji.verify.acknowledged import Acknowledgement, Holding, Mark
from lianji.verify.rebuilt import InProcess, MakeRebuilder, Rebuilder
from lianji.verify.sources import memories
from runtime.log import digest, unheard
from runtime.projection import Projection
from runtime.rebuilding import Rebuilding
from runtime.rights import bucket_stream, bucket_subject
from runtime.snapshots import BucketSnapshots
from runtime.sql import open_engine
from simulation.broker.streams import Store, Stream
from simulation.stage import Stage

PATIENCE_S = 60.0
_PROJECTIONS: dict[str, Callable[[str], Projection]] = {
    "settlement": settlement.rebuild.projection,
    "receipts": receipts.rebuild.projection,
}


class Breach(msgspec.Struct, frozen=True):
    """One thing that must not be, with its evidence. `invariant`: I1 to I14, `rest` (the world does not come to rest) or `service`."""

    invariant: str
    text: str


class StoredLog:
    """LogStore on a stream of the simulated broker, read from its disk."""

    def __init__(self, stream: Stream, subject: str) -> None:
        self.stream = stream
        self._subject = subject

    @property
    def name(self) -> str:
        return self._subject

    async def last_sequence(self) -> int:
        return self.stream.last

    async def append(
        self, payload: bytes, *, expected: int, message_id: str, sent: Callable[[], None] = unheard
    ) -> int:
        raise NotImplementedError("the judge reads only")

    async def read(self, sequence: int) -> bytes | None:
        message = self.stream.messages.get(sequence)
        return None if message is None else message.data

    async def read_from(self, sequence: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        for number in range(sequence, last + 1):
            if number in self.stream.messages:
                yield number, self.stream.messages[number].data


class _StoredBucket:
    """A bucket, read from the broker's disk."""

    def __init__(self, store: Store, name: str) -> None:
        self._stream = store.streams[bucket_stream(name)]
        self._name = name

    async def get(self, key: str) -> bytes | None:
        message = self._stream.messages.get(self._stream.last_by_subject.get(bucket_subject(self._name, key), 0))
        return None if message is None else message.data

    async def put(self, key: str, value: bytes) -> None:
        raise NotImplementedError("the judge reads only")


def _made_again(name: str) -> MakeRebuilder:
    async def make(url: str) -> Rebuilder:
        return InProcess(Rebuilding(_PROJECTIONS[name](url), record_decoder.decode))

    return make


class Judge:
    """Of one day. `thorough`: the projections are made again from zero, too (I11)."""

    def __init__(self, stage: Stage, *, thorough: bool) -> None:
        everything = world.built_in()
        self._stage = stage
        self._thorough = thorough
        streams = stage.store.streams
        self._journals = {
            str(shard): StoredLog(streams[subjects.journal_stream(shard)], subjects.journal(shard))
            for shard in range(everything.shards)
        }
        self._ledgers = {
            bank.id: StoredLog(streams[subjects.ledger_stream(bank.id)], subjects.ledger(bank.id))
            for bank in everything.institutions
        }

    async def verdict(self) -> list[Breach]:
        """Waits until the world is at rest, and looks at all sides of it."""
        engines = [self._engine(name) for name in _PROJECTIONS]
        try:
            return await self._compared(*engines)
        except CliError as error:
            return [Breach("rest", str(error))]
        finally:
            for engine in engines:
                engine.dispose()

    def _engine(self, name: str) -> Engine:
        return open_engine(f"sqlite:///{self._stage.data_dir / f'{name}.db'}", read_only=True)

    async def _compared(self, settled: Engine, slips: Engine) -> list[Breach]:
        sources = Sources(
            world=world.built_in(),
            journals=self._journals,
            ledgers=self._ledgers,
            settlement=settled,
            receipts=slips,
            terminals=lambda: memories(self._stage.data_dir / "terminals"),
            rebuild={name: _made_again(name) for name in _PROJECTIONS} if self._thorough else {},
            marks=self._marks,
            acknowledgements=self._acknowledged,
        )
        with closing(await gather(sources, patience_s=PATIENCE_S)) as evidence:
            breaches = [
                Breach(name, f"{row.subject}: {row.what} ({', '.join(f'{k}: {v}' for k, v in row.evidence.items())})")
                for name, finding in check(evidence).items()
                for row in finding.violations
            ]
            gone = {name.rpartition(" ")[2] for name in self._stage.gone}
            return breaches + [
                Breach("rest", f"{id_}: its terminal still waits to reverse it")
                for id_ in evidence.waiting()
                if id_.partition(":")[0] not in gone
            ]

    async def _marks(self) -> Iterable[Mark]:
        """What the banks' snapshots say."""
        found = []
        for institution, log in self._ledgers.items():
            bucket = _StoredBucket(self._stage.store, subjects.snapshots_issuer(institution))
            for snapshot in await BucketSnapshots(bucket, log.name).newest():
                accounts = load(snapshot.state).accounts
                holdings = {
                    number: Holding(account.balance_minor, account.held_minor) for number, account in accounts.items()
                }
                found.append(Mark(log.name, snapshot.position, holdings))
        return found

    def _acknowledged(self) -> Iterator[Acknowledgement]:
        """What publishers were told is stored."""
        for log in (*self._journals.values(), *self._ledgers.values()):
            for sequence, data in log.stream.acknowledged.items():
                yield Acknowledgement(log.name, sequence, digest(data))
