"""msgspec encoders and decoders for the contracts, made once. Card data types cross NATS in clear and nowhere else."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from contracts.pan import Pan, Secret, Track2

T = TypeVar("T")


def _encode(value: object) -> object:
    if isinstance(value, Secret):
        return value.clear()
    raise NotImplementedError(f"{type(value).__name__} has no wire form")


def _decode(kind: type, value: Any) -> Any:
    if type(value) is not str:
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
    if kind is Pan or kind is Track2:
        return kind(value)
    raise NotImplementedError(f"{kind.__name__} has no wire form")


encoder = msgspec.json.Encoder(enc_hook=_encode)
encode = encoder.encode
"""A contract struct as JSON bytes."""

storage_encoder = msgspec.json.Encoder()
encode_stored = storage_encoder.encode
"""A journal or ledger record as JSON bytes. It has no wire form for card data: a record that holds some cannot be written."""


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder for `kind`, to be made once per module. It raises msgspec.ValidationError, whose text names the field path, never a value."""
    return msgspec.json.Decoder(kind, dec_hook=_decode)
