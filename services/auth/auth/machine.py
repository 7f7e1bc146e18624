"""A shard as a machine over its journal: what runtime.ownership replays and keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from auth.domain import velocity
from auth.domain.state import Shard, apply
from auth.domain.transaction import Transaction
from auth.domain.velocity import Limit
from contracts import slices
from contracts.codec import encode_stored
from contracts.journal import EpochStarted, Record, record_decoder

LAYOUT = b"shard-6"
"""Stands before a dump with the velocity limits, and changes with what a shard or a transaction holds: one of another layout is no snapshot, and
the log is replayed. So limits that are new count from the log's first record, as they would have."""

_dump = msgspec.msgpack.Encoder().encode
_load = msgspec.msgpack.Decoder(Shard).decode
_load_transactions = msgspec.msgpack.Decoder(dict[str, Transaction]).decode


class ShardMachine:
    """Pure: the same records give the same shard on every machine with the same velocity limits."""

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self._limits = tuple(limits)
        self._layout = LAYOUT + (_dump(self._limits) if self._limits else b"")

    def new_state(self) -> Shard:
        return Shard(velocity=velocity.begun(self._limits))

    def apply(self, state: Shard, record: Record) -> None:
        apply(state, record)

    def decode(self, raw: bytes) -> Record:
        return record_decoder.decode(raw)

    def encode(self, record: Record) -> bytes:
        return encode_stored(record)

    def epoch_record(self, *, epoch: int, owner: str, at_ms: int) -> EpochStarted:
        return EpochStarted(epoch=epoch, owner=owner, at_ms=at_ms)

    def dump(self, state: Shard) -> bytes:
        rest = msgspec.structs.replace(state, transactions={})
        return slices.join([self._layout, _dump(rest), *(_dump(part) for part in slices.slices(state.transactions))])

    def load(self, data: bytes) -> Shard:
        *_, shard = self.load_in_parts(data)
        return shard

    def load_in_parts(self, data: bytes) -> Iterator[Shard]:
        parts = slices.split(data)
        layout = bytes(next(parts, b""))
        if layout != self._layout:
            raise msgspec.DecodeError("not of this layout")
        shard = _load(next(parts, b""))
        yield shard
        for part in parts:
            shard.transactions.update(_load_transactions(part))
            yield shard
