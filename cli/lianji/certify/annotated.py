"""A message for the report: each part as it stands on the wire, its name, and what it says; what must not be seen is a mask of the same length."""

from __future__ import annotations

from iso8583 import FIELDS, FormatError, Message, Value, encode
from iso8583.fields import Format, Length, Shown

_FIELDS_AT = 21
"""Offset of the first field in a body: TPDU 5, header 6, MTI 2, bitmap 8."""
_PREFIX = {Length.FIXED: 0, Length.LLVAR: 1, Length.LLLVAR: 2}
_WIDTH = 48
"""Columns of hex; what is longer goes on below."""
_NEVER = frozenset({52, 55, 59, 62})
"""PIN blocks, chip data, serial numbers; 62 holds keys, or the card that a transfer goes to."""


def annotated(message: Message) -> list[str]:
    """One line a part, more where its hex is long; no card number, track, PIN block or key."""
    body = encode(message)
    lines = [
        _line("", body[:5].hex(), "TPDU", ""),
        _line("", body[5:11].hex(), "header", message.header.digits),
        _line("", body[11:13].hex(), "MTI", message.mti),
        _line("", body[13:21].hex(), "bitmap", " ".join(map(str, sorted(message.fields)))),
    ]
    for number, value in sorted(message.fields.items()):
        lines += _field(message, number, value)
    return lines


def _field(message: Message, number: int, value: Value) -> list[str]:
    field = FIELDS.get(number)
    if field is None:
        return [_line(str(number), "**", "not in the profile", "")]
    try:
        wire = encode(Message(message.mti, {number: value}))[_FIELDS_AT:].hex()
    except FormatError:
        return [_line(str(number), "**", field.name, "cannot be encoded")]
    prefix = 2 * _PREFIX[field.kind]
    hidden, shown = wire[prefix:], str(value)
    totals = number == 48 and message.mti[1] == "5"  # of a 0500; the details of an upload may name card numbers
    if (field.shown is Shown.NEVER and not totals) or number in _NEVER or isinstance(value, bytes):
        clear = number == 64
        hidden = hidden if clear else "*" * len(hidden)
        shown = "" if clear else f"{len(value)} {'bytes' if isinstance(value, bytes) else 'characters'}, not shown"
    elif field.shown is Shown.PAN:
        shown = value[:6] + "*" * (len(value) - 10) + value[-4:] if len(value) >= 12 else "*" * len(value)
        digits = shown if field.format in (Format.N, Format.Z) else "*" * len(hidden)
        hidden = digits.ljust(len(hidden), "0")
    hexed = wire[:prefix] + hidden
    first, *rest = [hexed[at : at + _WIDTH] for at in range(0, len(hexed), _WIDTH)] or [""]
    return [_line(str(number), first, field.name, shown), *(_line("", more, "", "") for more in rest)]


def _line(number: str, wire: str, name: str, shown: str) -> str:
    return f"{number:>3}  {wire:<{_WIDTH}}  {name}{'  ' + shown if shown else ''}".rstrip()
