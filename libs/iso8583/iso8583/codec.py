"""Bytes to messages and back. Decoding is strict: what the profile does not allow is refused, nothing is skipped or guessed."""

from __future__ import annotations

from functools import lru_cache

from iso8583.compiled import DECODERS, ENCODERS, Decoder, Encoder, Value
from iso8583.errors import FormatError
from iso8583.message import TPDU_ID, Header, Message, check_mti

TPDU_SIZE, HEADER_SIZE = 5, 6
MTI_AT = TPDU_SIZE + HEADER_SIZE
"""Offset of the MTI in a body."""
FIELDS_AT = MTI_AT + 2 + 8
MAC_SIZE = 8

_MOST_PLANS = 1024  # bitmaps remembered; a peer that invents new ones must not grow this without end
_DecodePlan = tuple[tuple[int, Decoder], ...]
_decode_plans: dict[bytes, _DecodePlan] = {}
_encode_plans: dict[tuple[int, ...], tuple[bytes, tuple[tuple[int, Encoder], ...]]] = {}


def decode(body: bytes) -> Message:
    """A body (the frame without its 2-byte length) as a message; raises FormatError only."""
    message = _envelope(body)
    _read_fields(body, message.fields)
    return message


def salvage(body: bytes) -> Message | None:
    """What stands before the first fault of a body that `decode` refuses, so that it can be answered; None when not even the MTI does."""
    try:
        message = _envelope(body)
    except FormatError:
        return None
    try:
        _read_fields(body, message.fields)
    except FormatError:
        return message
    return message


def encode(message: Message) -> bytes:
    """A message as a body; raises FormatError only."""
    fields = message.fields
    numbers = tuple(fields)
    plan = _encode_plans.get(numbers)
    if plan is None:
        plan = _plan_encoding(numbers)
    if len(message.tpdu) != TPDU_SIZE:
        raise FormatError("tpdu", "is not 5 bytes")
    if message.tpdu[0] != TPDU_ID:
        raise FormatError("tpdu", "does not begin with 60")
    bitmap, encoders = plan
    parts = [message.tpdu, _header_and_mti(message.header, message.mti), bitmap]
    parts += [encoder(fields[number]) for number, encoder in encoders]
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _header_and_mti(header: Header, mti: str) -> bytes:
    digits = "".join(header)
    if len(digits) != 2 * HEADER_SIZE or not (digits.isascii() and digits.isdigit()):
        raise FormatError("header", "is not 12 digits")
    check_mti(mti)
    return bytes.fromhex(digits + mti)


def mac_block(body: bytes) -> bytes:
    """The bytes that field 64 protects: the MTI up to and excluding field 64 (terminal-protocol, Security); FormatError without a field 64."""
    if len(body) < FIELDS_AT + MAC_SIZE or not body[FIELDS_AT - 1] & 1:
        raise FormatError("64", "is missing")
    return body[MTI_AT:-MAC_SIZE]


def _envelope(body: bytes) -> Message:
    if len(body) < FIELDS_AT:
        raise FormatError("body", "is too short for TPDU, header, message type and bitmap")
    if body[0] != TPDU_ID:
        raise FormatError("tpdu", "does not begin with 60")
    header, mti = _read_header_and_mti(bytes(body[TPDU_SIZE : MTI_AT + 2]))
    return Message(mti, {}, bytes(body[:TPDU_SIZE]), header)


@lru_cache(maxsize=1024)
def _read_header_and_mti(raw: bytes) -> tuple[Header, str]:
    digits = raw.hex()
    header, mti = digits[: 2 * HEADER_SIZE], digits[2 * HEADER_SIZE :]
    if not header.isdigit():
        raise FormatError("header", "holds a nibble that is no decimal digit")
    check_mti(mti)
    return Header(header[:2], header[2:4], header[4], header[5], header[6:]), mti


def _read_fields(body: bytes, fields: dict[int, Value]) -> None:
    bitmap = bytes(body[MTI_AT + 2 : FIELDS_AT])
    plan = _decode_plans.get(bitmap)
    if plan is None:
        plan = _plan_decoding(bitmap)
    at = FIELDS_AT
    for number, decoder in plan:
        fields[number], at = decoder(body, at)
    if at != len(body):
        raise FormatError("body", "goes on after its last field")


def _plan_decoding(bitmap: bytes) -> _DecodePlan:
    bits = int.from_bytes(bitmap, "big")
    if bits >> 63:
        raise FormatError("bitmap", "announces a secondary bitmap")
    plan = []
    for number in range(2, 65):
        if bits >> (64 - number) & 1:
            decoder = DECODERS.get(number)
            if decoder is None:
                raise FormatError("bitmap", f"announces field {number}, which the profile does not have")
            plan.append((number, decoder))
    if len(_decode_plans) < _MOST_PLANS:
        _decode_plans[bitmap] = tuple(plan)
    return tuple(plan)


def _plan_encoding(numbers: tuple[int, ...]) -> tuple[bytes, tuple[tuple[int, Encoder], ...]]:
    bits, plan = 0, []
    for number in sorted(numbers):
        encoder = ENCODERS.get(number)
        if encoder is None:
            raise FormatError("bitmap", f"field {number} is not one of the profile's")
        bits |= 1 << (64 - number)
        plan.append((number, encoder))
    made = bits.to_bytes(8, "big"), tuple(plan)
    if len(_encode_plans) < _MOST_PLANS:
        _encode_plans[numbers] = made
    return made
