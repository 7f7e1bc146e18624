"""Damage that follows the grammar: bit flips, cuts and splices, and lies about lengths, bitmaps, fields and members."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

import iso8583
from fuzz.grammar import TELLING
from iso8583 import FIELDS, FormatError, Message, Value
from iso8583.codec import FIELDS_AT
from iso8583.compiled import DECODERS
from iso8583.fields import Format, Length

MOST = 5000
"""Bytes in an input: a little above the largest frame."""
_HOW_OFTEN = (1, 1, 1, 2, 3, 6)
_DIGITS, _TRACK = "0123456789", "0123456789D"
_LETTERS = _DIGITS + "ABCXYZabcxyz"
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_ALPHABETS = {Format.N: _DIGITS, Format.Z: _TRACK, Format.AN: _LETTERS, Format.ANS: _PRINTABLE}
_ODD_TEXTS = ("", " ", "\0", "٣", "²", "é", "\ud800", "\U0001f4b3", "-1", "1e9", "null", "0x", "0" * 400)
_MTIS = ("0100", "0200", "0220", "0320", "0400", "0500", "0620", "0800", "0820", "0210", "0260", "0000", "0900", "0A00")

Way = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutate(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """`data` damaged once or several times; `pool` is what it may be spliced with."""
    for _ in range(random.choice(_HOW_OFTEN)):
        data = random.choice(_JSON_WAYS if data[:1] == b"{" else _WAYS)(random, data, pool)
    return data[:MOST]


def _flip(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return bytes([random.randrange(256)])
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _overwrite(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    new = random.choice((b"\0", b"\xff", b"\x99", b"\xaa", b"0", b" ", random.randbytes(random.randint(1, 8))))
    return data[:at] + new + data[at + len(new) :]


def _cut(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    return data[:start] + data[min(end, start + 64) :] if random.random() < 0.7 else data[:end]


def _repeat(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start = random.randrange(len(data) + 1)
    piece = data[start : start + random.randint(1, 40)] * random.choice((1, 1, 2, 50))
    return data[:start] + piece + data[start:]


def _splice(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    other = random.choice(pool)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def layout(body: bytes) -> list[tuple[int, int, int]]:
    """(field, start, end) of the fields of a body, as far as they can be read."""
    found, at = [], FIELDS_AT
    bits = int.from_bytes(body[FIELDS_AT - 8 : FIELDS_AT], "big")
    for number in DECODERS:
        if bits >> (64 - number) & 1:
            try:
                end = DECODERS[number](body, at)[1]
            except FormatError:
                break
            found.append((number, at, end))
            at = end
    return found


def _lie_about_length(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    variable = [(n, start) for n, start, _ in layout(data) if FIELDS[n].kind is not Length.FIXED]
    if not variable:
        return _overwrite(random, data, pool)
    number, start = random.choice(variable)
    wide = FIELDS[number].kind is Length.LLLVAR
    size, limit = (2, FIELDS[number].length) if wide else (1, FIELDS[number].length)
    count = random.choice(
        (0, 1, FIELDS[number].minimum - 1, FIELDS[number].minimum, limit, limit + 1, random.randrange(100))
    )
    lie = random.choice((bytes.fromhex(f"{count % 10000:04d}")[-size:], random.randbytes(size)))
    return data[:start] + lie + data[start + size :]


def _lie_in_bitmap(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    bits = int.from_bytes(data[FIELDS_AT - 8 : FIELDS_AT], "big")
    bits ^= 1 << (64 - random.choice((*FIELDS, random.randint(1, 64))))
    return data[: FIELDS_AT - 8] + bits.to_bytes(8, "big") + data[FIELDS_AT:]


def value_for(random: Random, number: int) -> Value:
    """A value that field `number` may hold."""
    field = FIELDS[number]
    if number in TELLING and random.random() < 0.7:
        return random.choice(TELLING[number])
    size = (
        field.length
        if field.kind is Length.FIXED
        else random.choice((field.minimum, field.length, random.randint(field.minimum, field.length)))
    )
    if field.format is Format.B:
        return random.choice((bytes(size), random.randbytes(size)))
    alphabet = _ALPHABETS[field.format]
    return random.choice((alphabet[0] * size, "".join(random.choices(alphabet, k=size))))


def _change_field(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """A message that still encodes, with a field more, less or other, or another message type."""
    try:
        message = iso8583.decode(data)
        _change(random, message)
        return iso8583.encode(message)
    except FormatError:
        return _flip(random, data, pool)


def _change(random: Random, message: Message) -> None:
    choice = random.randrange(5)
    if choice == 0:
        message.mti = random.choice(_MTIS)
    elif choice == 1 and message.fields:
        del message.fields[random.choice(list(message.fields))]
    elif choice == 2 and message.fields:
        number = random.choice(list(message.fields))
        message.fields[number] = _nearly(random, message.fields[number])
    else:
        number = random.choice(tuple(FIELDS))
        message.fields[number] = value_for(random, number)


def _nearly(random: Random, value: Value) -> Value:
    """The same length and kind of characters, one of them changed; or one more or less."""
    if isinstance(value, bytes):
        return _flip(random, value, ())
    if not value:
        return random.choice(_DIGITS)
    at, char = random.randrange(len(value)), random.choice(_DIGITS)
    return random.choice(
        (value[:at] + char + value[at + 1 :], value[:at] + value[at + 1 :], value[:at] + char + value[at:])
    )


def _as_frame(random: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """The input as a frame, whose length may be a lie."""
    length = max(0, min(65535, len(data) + random.choice((0, 0, -1, 1, -2, 4096))))
    return length.to_bytes(2, "big") + data


def _change_member(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """JSON with one of its texts changed: to an odd one, to a neighbour's, to hexadecimal that is none."""
    texts = list(re.finditer(rb'"([^"\\]*)"', data))
    if not texts:
        return _flip(random, data, pool)
    chosen = random.choice(texts)
    other = random.choice(texts)[1]
    odd = random.choice(_ODD_TEXTS).encode("utf-8", "surrogatepass")
    new = random.choice(
        (
            other,
            odd,
            chosen[1] + odd,
            b" " + chosen[1],
            chosen[1].lower(),
            b"\\ud800",
            b"\\u0030",
            str(random.randrange(70)).encode(),
        )
    )
    return data[: chosen.start(1)] + new + data[chosen.end(1) :]


def _repeat_member(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """JSON with a member more, perhaps one that is there already."""
    members = list(re.finditer(rb'"[^"\\]*":"[^"\\]*"', data))
    if not members:
        return _flip(random, data, pool)
    place, what = random.choice(members).start(), random.choice(members)[0]
    return data[:place] + what + b"," + data[place:]


def _another_form(random: Random, data: bytes, pool: Sequence[bytes]) -> bytes:
    """The same message in its JSON form with a field changed."""
    try:
        message = iso8583.from_json(data)
        _change(random, message)
        return iso8583.to_json(message)
    except (FormatError, UnicodeEncodeError):  # what earlier damage made unwritable
        return _flip(random, data, pool)


_ANYWHERE: tuple[Way, ...] = (_flip, _overwrite, _cut, _repeat, _splice)
_WAYS: tuple[Way, ...] = (
    *_ANYWHERE,
    _lie_about_length,
    _lie_about_length,
    _lie_in_bitmap,
    _change_field,
    _change_field,
    _change_field,
    _as_frame,
)
_JSON_WAYS: tuple[Way, ...] = (*_ANYWHERE, _change_member, _change_member, _repeat_member, _another_form, _another_form)
