"""The field table, compiled once into one decoding and one encoding closure per field.

A decoder takes the body and an offset and gives the value and the offset behind it; an encoder takes a value and gives its
bytes. Both raise FormatError only. Everything that can be computed from a row is computed here, when the module is imported,
so that the path of a message holds slices, comparisons and one `hex()` per field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from iso8583.errors import FormatError
from iso8583.fields import FIELDS, Align, Field, Format, Length

Value: TypeAlias = str | bytes
Decoder: TypeAlias = Callable[[bytes, int], tuple[Value, int]]
Encoder: TypeAlias = Callable[[Value], bytes]
_Check: TypeAlias = Callable[[bytes], Value]
_Pack: TypeAlias = Callable[[Value], bytes]

_BCD = {value: tens * 10 + units for tens in range(10) for units in range(10) for value in (tens * 16 + units,)}
_DIGITS_AND_SEPARATOR = frozenset("0123456789D")


def _short(field: Field) -> FormatError:
    return FormatError(str(field.number), "the message ends inside it")


def _text_reader(field: Field) -> _Check:
    """From a field's content bytes to its value, for ASCII and binary fields."""
    number = str(field.number)

    def alphanumeric(raw: bytes) -> Value:
        if not raw.isalnum():
            raise FormatError(number, "holds something other than letters and digits")
        return raw.decode("ascii")

    def printable(raw: bytes) -> Value:
        text = raw.decode("latin-1")
        if not (text.isascii() and text.isprintable()):
            raise FormatError(number, "holds something other than printable ASCII")
        return text

    def binary(raw: bytes) -> Value:
        return bytes(raw)

    return {Format.AN: alphanumeric, Format.ANS: printable, Format.B: binary}[field.format]


def _digits_reader(field: Field) -> Callable[[bytes, int], str]:
    """From BCD bytes and a count of digits to the digits; the filling zero must be one."""
    number, track = str(field.number), field.format is Format.Z
    right = field.align is Align.RIGHT

    def read(raw: bytes, count: int) -> str:
        text = raw.hex()
        if track:
            text = text.upper()
            if not _DIGITS_AND_SEPARATOR.issuperset(text):
                raise FormatError(number, "holds something other than digits and the separator D")
        elif not text.isdigit():
            raise FormatError(number, "holds a nibble that is no decimal digit")
        if count & 1:
            if text[0 if right else -1] != "0":
                raise FormatError(number, "its filling nibble is not 0")
            return text[1:] if right else text[:-1]
        return text

    return read


def _fixed_decoder(field: Field) -> Decoder:
    length = field.length
    if field.format in (Format.N, Format.Z):
        size, read = (length + 1) // 2, _digits_reader(field)
        if not length & 1:
            return _even_digits_decoder(field)

        def decode_digits(body: bytes, at: int) -> tuple[Value, int]:
            end = at + size
            if end > len(body):
                raise _short(field)
            return read(body[at:end], length), end

        return decode_digits
    check = _text_reader(field)

    def decode_text(body: bytes, at: int) -> tuple[Value, int]:
        end = at + length
        if end > len(body):
            raise _short(field)
        return check(body[at:end]), end

    return decode_text


def _even_digits_decoder(field: Field) -> Decoder:
    """The commonest case by far, so without the general reader's questions."""
    number, length, size = str(field.number), field.length, field.length // 2

    def decode(body: bytes, at: int) -> tuple[Value, int]:
        end = at + size
        text = body[at:end].hex()
        if len(text) != length:
            raise _short(field)
        if not text.isdigit():
            raise FormatError(number, "holds a nibble that is no decimal digit")
        return text, end

    return decode


def _length_reader(field: Field) -> Callable[[bytes, int], int]:
    number, wide = str(field.number), field.kind is Length.LLLVAR
    minimum, maximum = field.minimum, field.length
    size = 2 if wide else 1

    def read(body: bytes, at: int) -> int:
        if at + size > len(body):
            raise _short(field)
        count = _BCD.get(body[at])
        if wide and count is not None:
            units = _BCD.get(body[at + 1])
            count = None if units is None else count * 100 + units
        if count is None:
            raise FormatError(number, "its length is not BCD")
        if not minimum <= count <= maximum:
            raise FormatError(number, f"its length {count} is not between {minimum} and {maximum}")
        return count

    return read


def _variable_decoder(field: Field) -> Decoder:
    read_length, prefix = _length_reader(field), 2 if field.kind is Length.LLLVAR else 1
    if field.format in (Format.N, Format.Z):
        read = _digits_reader(field)

        def decode_digits(body: bytes, at: int) -> tuple[Value, int]:
            count = read_length(body, at)
            start = at + prefix
            end = start + (count + 1) // 2
            if end > len(body):
                raise _short(field)
            return read(body[start:end], count), end

        return decode_digits
    check = _text_reader(field)

    def decode_text(body: bytes, at: int) -> tuple[Value, int]:
        start = at + prefix
        end = start + read_length(body, at)
        if end > len(body):
            raise _short(field)
        return check(body[start:end]), end

    return decode_text


def _packer(field: Field) -> _Pack:
    """From a value of the right length to its content bytes."""
    number, fmt, right = str(field.number), field.format, field.align is Align.RIGHT

    def digits(value: Value) -> bytes:
        if not (isinstance(value, str) and value.isascii() and (value.isdigit() if fmt is Format.N else _track(value))):
            raise FormatError(number, f"is not text of format {fmt.value}")
        if len(value) & 1:
            value = "0" + value if right else value + "0"
        return bytes.fromhex(value)

    def text(value: Value) -> bytes:
        if not (
            isinstance(value, str)
            and value.isascii()
            and (value.isalnum() if fmt is Format.AN else value.isprintable())
        ):
            raise FormatError(number, f"is not text of format {fmt.value}")
        return value.encode("ascii")

    def binary(value: Value) -> bytes:
        if not isinstance(value, bytes):
            raise FormatError(number, "is not bytes")
        return value

    return {Format.N: digits, Format.Z: digits, Format.AN: text, Format.ANS: text, Format.B: binary}[fmt]


def _even_digits_encoder(number: str, pack: _Pack, length: int) -> Encoder:
    """The commonest case by far, so without the general packer's questions."""

    def encode(value: Value) -> bytes:
        if len(value) != length:
            raise FormatError(number, f"its length {len(value)} is not {length}")
        if type(value) is str and value.isascii() and value.isdigit():
            return bytes.fromhex(value)
        return pack(value)  # which says what is wrong with it

    return encode


def _track(value: str) -> bool:
    return _DIGITS_AND_SEPARATOR.issuperset(value)


def _encoder(field: Field) -> Encoder:
    number, pack, length, minimum = str(field.number), _packer(field), field.length, field.minimum
    if field.kind is Length.FIXED:
        if field.format is Format.N and not length & 1:
            return _even_digits_encoder(number, pack, length)

        def encode_fixed(value: Value) -> bytes:
            if len(value) != length:
                raise FormatError(number, f"its length {len(value)} is not {length}")
            return pack(value)

        return encode_fixed
    prefixes = [bytes.fromhex(f"{n:04d}" if field.kind is Length.LLLVAR else f"{n:02d}") for n in range(length + 1)]

    def encode_variable(value: Value) -> bytes:
        count = len(value)
        if not minimum <= count <= length:
            raise FormatError(number, f"its length {count} is not between {minimum} and {length}")
        return prefixes[count] + pack(value)

    return encode_variable


_RECURRING = frozenset({3, 22, 25, 26, 32, 39, 41, 42, 44, 49, 53, 60, 63})
"""Fields of few values, none of which is a card's: their bytes are remembered."""
_MOST_REMEMBERED = 4096


def _remembering(encode: Encoder) -> Encoder:
    known: dict[Value, bytes] = {}

    def remembering(value: Value) -> bytes:
        made = known.get(value)
        if made is None:
            made = encode(value)
            if len(known) < _MOST_REMEMBERED:  # whoever sends ever new ones must not make it grow
                known[value] = made
        return made

    return remembering


def _decoder(field: Field) -> Decoder:
    return _fixed_decoder(field) if field.kind is Length.FIXED else _variable_decoder(field)


DECODERS: dict[int, Decoder] = {number: _decoder(field) for number, field in FIELDS.items()}
ENCODERS: dict[int, Encoder] = {
    number: _remembering(_encoder(field)) if number in _RECURRING else _encoder(field)
    for number, field in FIELDS.items()
}
