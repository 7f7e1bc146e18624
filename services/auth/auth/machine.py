"""A shard as a machine over its journal: what runtime.ownership replays and keeps."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from auth.domain.state import Shard, apply
from auth.domain.transaction import Transaction
from contracts import slices
from contracts.codec import encode_stored
from contracts.journal import EpochStarted, Record, record_decoder

LAYOUT = b"shard-3"
"""Stands before a dump, and changes with what a shard or a transaction holds: one of another layout is no snapshot, and the log is replayed."""

_dump = msgspec.msgpack.Encoder().encode
_load = msgspec.msgpack.Decoder(Shard).decode
_load_transactions = msgspec.msgpack.Decoder(dict[str, Transaction]).decode


class ShardMachine:
    """Pure: the same records give the same shard on every machine."""

    def new_state(self) -> Shard:
        return Shard()

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
        return slices.join([LAYOUT, _dump(rest), *(_dump(part) for part in slices.slices(state.transactions))])

    def load(self, data: bytes) -> Shard:
        *_, shard = self.load_in_parts(data)
        return shard

    def load_in_parts(self, data: bytes) -> Iterator[Shard]:
        parts = slices.split(data)
        layout = bytes(next(parts, b""))
        if layout != LAYOUT:
            raise msgspec.DecodeError("not of this layout")
        shard = _load(next(parts, b""))
        yield shard
        for part in parts:
            shard.transactions.update(_load_transactions(part))
            yield shard
