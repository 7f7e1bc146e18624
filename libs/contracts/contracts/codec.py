"""msgspec encoders and decoders for the contracts, made once. Card data types cross NATS in clear and nowhere else.

`encode` is for messages on core NATS. Of three of them, which carry a card to the switch, to its issuer and from its issuer, it writes the card in
clear; in any other it has no form for card data, and neither has `encode_stored`, which is for everything that is kept.
"""

from __future__ import annotations

import base64
from typing import Any, TypeVar

import msgspec

from contracts.authorization import AuthorizeRequest, IssuerRequest
from contracts.pan import Pan, PinBlock, Secret, Track2
from contracts.stop_list import StopNotice

T = TypeVar("T")

CARD_CARRIERS = frozenset({AuthorizeRequest, IssuerRequest, StopNotice})
"""The messages that are written with the card in clear. Their subjects are captured by no stream."""


def _in_clear(value: object) -> object:
    if isinstance(value, Secret):
        return value.clear()
    if type(value) is PinBlock:
        return bytes(value)
    raise NotImplementedError(f"{type(value).__name__} has no wire form")


def _decode(kind: type, value: Any) -> Any:
    if type(value) is not str:
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
    if kind is Pan or kind is Track2:
        return kind(value)
    if kind is PinBlock:
        return PinBlock(base64.b64decode(value, validate=True))
    raise NotImplementedError(f"{kind.__name__} has no wire form")


_encode_with_card = msgspec.json.Encoder(enc_hook=_in_clear).encode

encode_stored = msgspec.json.Encoder().encode
"""A record, or a value of a bucket, as JSON bytes. It has no form for card data: TypeError, and nothing is written."""


def encode(message: msgspec.Struct) -> bytes:
    """A message on core NATS as JSON bytes; TypeError when it holds card data and is not one of CARD_CARRIERS."""
    return _encode_with_card(message) if type(message) in CARD_CARRIERS else encode_stored(message)


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder for `kind`, to be made once per module. It raises msgspec.ValidationError, whose text names the field path, never a value."""
    return msgspec.json.Decoder(kind, dec_hook=_decode)
