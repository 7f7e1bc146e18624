"""Any valid message survives the wire; whatever else arrives raises FormatError and nothing else."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iso8583
from iso8583 import FIELDS, Field53, Field59, Field60, FormatError, Header, Keys62, Message, Original61, Totals48
from iso8583.fields import Field, Format, Length

T = TypeVar("T")
R = TypeVar("R")

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))
ALPHABETS = {
    Format.N: string.digits,
    Format.Z: string.digits + "D",
    Format.AN: string.ascii_letters + string.digits,
    Format.ANS: PRINTABLE,
}


def values(field: Field) -> st.SearchStrategy[str | bytes]:
    low, high = (field.length, field.length) if field.kind is Length.FIXED else (field.minimum, field.length)
    if field.format is Format.B:
        return st.binary(min_size=low, max_size=high)
    return st.text(ALPHABETS[field.format], min_size=low, max_size=high)


def digits(width: int) -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=width, max_size=width)


HEADERS = st.builds(Header, digits(2), digits(2), digits(1), digits(1), digits(6))
MTIS = st.tuples(st.just("0"), st.sampled_from("12345678"), st.sampled_from("01234567"), st.sampled_from("012345")).map(
    "".join
)
MESSAGES = st.builds(
    Message,
    mti=MTIS,
    fields=st.sets(st.sampled_from(sorted(FIELDS)), max_size=20).flatmap(
        lambda numbers: st.fixed_dictionaries({number: values(FIELDS[number]) for number in numbers})
    ),
    tpdu=st.binary(min_size=4, max_size=4).map(lambda addresses: b"\x60" + addresses),
    header=HEADERS,
)


@given(MESSAGES)
def test_any_valid_message_encodes_and_decodes_equal(message: Message) -> None:
    body = iso8583.encode(message)
    assert iso8583.decode(body) == message
    assert iso8583.from_json(iso8583.to_json(message)) == message


@given(MESSAGES, st.data())
def test_every_shorter_or_longer_body_is_refused(message: Message, data: st.DataObject) -> None:
    body = iso8583.encode(message)
    shorter = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(FormatError):
        iso8583.decode(shorter)
    with pytest.raises(FormatError) as caught:
        iso8583.decode(body + b"\x00")
    assert caught.value.field == "body"


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_format_errors(data: bytes) -> None:
    _only_format_errors(iso8583.decode, data)
    _only_format_errors(iso8583.from_json, data)
    iso8583.salvage(data)


@given(MESSAGES, st.integers(0, 4000), st.binary(min_size=1, max_size=4))
def test_a_damaged_message_decodes_or_raises_format_error_and_means_what_it_says(
    message: Message, at: int, damage: bytes
) -> None:
    body = iso8583.encode(message)
    at %= len(body)
    damaged = body[:at] + damage + body[at + len(damage) :]
    decoded = _only_format_errors(iso8583.decode, damaged)
    if decoded is not None:  # strict and canonical: what decodes has exactly one encoding
        assert iso8583.encode(decoded) == damaged


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.data())
def test_frames_come_out_whole_however_they_are_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(iso8583.frame(body) for body in bodies)
    reader, seen = iso8583.FrameReader(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        reader.push(stream[:cut])
        stream = stream[cut:]
        while (body := reader.pop()) is not None:
            seen.append(body)
    assert seen == bodies
    assert not reader.partial


AMOUNTS, COUNTS, RESULTS = st.integers(0, 10**12 - 1), st.integers(0, 999), st.sampled_from("0123")


@given(st.builds(Totals48, *(AMOUNTS, COUNTS, AMOUNTS, COUNTS, RESULTS) * 2))
def test_totals_survive_field_48(totals: Totals48) -> None:
    assert len(totals.pack()) == 62
    assert Totals48.parse(totals.pack()) == totals


@given(st.text(string.digits, max_size=30), st.text(max_size=30), st.binary(max_size=80))
def test_subfields_raise_only_format_errors_and_write_back_what_they_read(number: str, text: str, data: bytes) -> None:
    kinds: tuple[Any, ...] = (Field53, Field60, Original61, Totals48)
    for kind in kinds:
        for value in (number, text):
            parsed = _only_format_errors(kind.parse, value)
            if parsed is not None:
                assert parsed.pack() == value
    keys = _only_format_errors(Keys62.parse, data)
    assert keys is None or keys.pack() == data
    serial = _only_format_errors(Field59.parse, data)
    assert serial is None or serial.pack() == data


@given(st.sampled_from([10, 12]), st.booleans(), st.data())
def test_serial_number_and_block_survive_field_59_and_every_cut_is_refused(
    length: int, long: bool, data: st.DataObject
) -> None:
    block = data.draw(st.binary(min_size=16, max_size=16)) if long else b""
    field = Field59(data.draw(st.binary(min_size=length, max_size=length)), block)
    packed = field.pack()
    assert Field59.parse(packed) == field
    cut = data.draw(st.integers(0, len(packed) - 1))
    if not (long and cut == length + 3):  # there the block's tag begins: what is before it is whole
        with pytest.raises(FormatError) as caught:
            Field59.parse(packed[:cut])
        assert caught.value.field.startswith("59")


def _only_format_errors(function: Callable[[T], R], argument: T) -> R | None:
    try:
        return function(argument)
    except FormatError as error:
        named = bool(error.field) and str(error).startswith(f"field {error.field}: ")
    assert named
    return None
