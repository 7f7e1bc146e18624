"""The JSON form of a message, for terminals that publish their swipe instead of dialling in.

`{"mti": "0200", "fields": {"3": "000000", "52": "<hex>"}, "tpdu": "6000000000", "header": "603100000000"}`; `tpdu` and `header`
may be left out. Binary fields (52, 55, 59, 62, 64) are hexadecimal.
"""

from __future__ import annotations

import json

import msgspec

from iso8583.compiled import Value
from iso8583.errors import FormatError
from iso8583.fields import FIELDS, Format
from iso8583.message import DEFAULT_HEADER, DEFAULT_TPDU, Header, Message, check_mti


class _Form(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    mti: str
    fields: dict[str, str]
    tpdu: str = DEFAULT_TPDU.hex()
    header: str = DEFAULT_HEADER.digits


_decoder = msgspec.json.Decoder(_Form)
_encoder = msgspec.json.Encoder()


def from_json(data: bytes) -> Message:
    """The message; FormatError when it is no such JSON, names a member twice, has no message type, or a field is unknown or not hexadecimal.

    `encode` judges the rest.
    """
    try:
        form = _decoder.decode(data)
    except msgspec.ValidationError:  # its text may quote a member's name, and that is the sender's to choose
        raise FormatError("json", "is not {mti, fields[, tpdu][, header]} with text values") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FormatError("json", "is malformed") from None
    _refuse_repetition(data)
    check_mti(form.mti)
    fields = {_number(key): value for key, value in form.fields.items()}
    if len(fields) != len(form.fields):
        raise FormatError("json", "names a field twice")
    return Message(
        mti=form.mti,
        fields={number: _value(number, value) for number, value in fields.items()},
        tpdu=_unhex("tpdu", form.tpdu),
        header=Header.parse(form.header),
    )


def to_json(message: Message) -> bytes:
    """The message as JSON bytes, fields in ascending order."""
    fields = {
        str(number): value.hex().upper() if isinstance(value, bytes) else value
        for number, value in sorted(message.fields.items())
    }
    return _encoder.encode(_Form(message.mti, fields, message.tpdu.hex().upper(), message.header.digits))


def _refuse_repetition(data: bytes) -> None:
    """FormatError when a member is there twice: RFC 8259, 4 leaves open which one counts, so its readers could disagree on the amount."""
    try:
        json.loads(data.decode(), object_pairs_hook=_each_once)
    except ValueError:  # stricter than the decoder before it in some corner
        raise FormatError("json", "is malformed") from None


def _each_once(members: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(members)
    if len(made) != len(members):
        raise FormatError("json", "names a member twice")
    return made


def _number(key: str) -> int:
    number = int(key) if len(key) <= 2 and key.isascii() and key.isdigit() else 0
    if number not in FIELDS:
        raise FormatError("json", "names a field that the profile does not have")
    return number


def _value(number: int, value: str) -> Value:
    return _unhex(str(number), value) if FIELDS[number].format is Format.B else value


def _unhex(field: str, text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise FormatError(field, "is not hexadecimal") from None
    if 2 * len(data) != len(text):  # fromhex reads over white space
        raise FormatError(field, "is not hexadecimal")
    return data
