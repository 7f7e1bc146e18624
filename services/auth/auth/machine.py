"""A shard as a machine over its journal: what runtime.ownership replays and keeps."""

from __future__ import annotations

import msgspec

from auth.domain.state import Shard, apply
from contracts.codec import encode_stored
from contracts.journal import EpochStarted, Record, record_decoder

_dump = msgspec.msgpack.Encoder().encode
_load = msgspec.msgpack.Decoder(Shard).decode


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
        return _dump(state)

    def load(self, data: bytes) -> Shard:
        return _load(data)
