"""What a batch upload (0320) brings: field 48 with details or their count, and of field 55 what a chip has signed (terminal-protocol, Which fields)."""

from __future__ import annotations

from typing import NamedTuple

from iso8583.errors import FormatError

MOST = 8
"""Details in one message."""
_WIDTH = 40
_CARD_KINDS = ("00", "01")
_CRYPTOGRAM, _INFORMATION, _COUNTER = 0x9F26, 0x9F27, 0x9F36
_LENGTHS = {_CRYPTOGRAM: 8, _INFORMATION: 1, _COUNTER: 2}
_MORE_TAG_BYTES, _NEXT_TAG_BYTE, _LONG_FORM = 0x1F, 0x80, 0x80


class Detail(NamedTuple):
    """A transaction that a terminal holds approved. Amount in minor units."""

    stan: str
    amount_minor: int
    foreign: bool = False
    """Of a foreign card (01)."""
    pan: str = ""
    """The card number, without the zeros on its left; a terminal that keeps none sends zeros. `parse_details` leaves it out."""

    def __repr__(self) -> str:  # the default would print the card number
        return f"Detail({self.stan}, {self.amount_minor})"


def parse_details(text: str) -> tuple[Detail, ...]:
    """From field 48 of a 201 or 203: count n2, then 40 digits each. FormatError otherwise. The card numbers are checked to be digits, and dropped.

    >>> parse_details("01" + "00" + "000042" + "0" * 20 + "000000001234")
    (Detail(000042, 1234),)
    """
    if not (text.isascii() and text.isdigit()) or len(text) < 2:
        raise FormatError("48", "is not a count of details and 40 digits for each")
    count = int(text[:2])
    if not 0 < count <= MOST:
        raise FormatError("48", f"its count is not 1 to {MOST}")
    if len(text) != 2 + count * _WIDTH:
        raise FormatError("48", "has more or fewer digits than its count says")
    return tuple(_detail(text[at : at + _WIDTH]) for at in range(2, len(text), _WIDTH))


def _detail(text: str) -> Detail:
    if text[:2] not in _CARD_KINDS:
        raise FormatError("48", "a detail is neither of a domestic card (00) nor of a foreign one (01)")
    return Detail(text[2:8], int(text[28:]), text[:2] == "01")


def pack_details(details: tuple[Detail, ...]) -> str:
    """Field 48 of a 201 or 203, or FormatError when one does not fit its place."""
    if not 0 < len(details) <= MOST:
        raise FormatError("48", f"is not for 1 to {MOST} details")
    parts = [f"{len(details):02d}"]
    for detail in details:
        part = f"{int(detail.foreign):02d}{detail.stan}{detail.pan:0>20}{detail.amount_minor:012d}"
        if len(part) != _WIDTH or not (part.isascii() and part.isdigit()):
            raise FormatError("48", "a detail does not fit its 40 digits")
        parts.append(part)
    return "".join(parts)


def parse_count(text: str) -> int:
    """From field 48 of an end message (202, 207), n4; FormatError otherwise.

    >>> parse_count("0017")
    17
    """
    if len(text) != 4 or not (text.isascii() and text.isdigit()):
        raise FormatError("48", "is not a count of 4 digits")
    return int(text)


class Signed(NamedTuple):
    """What a chip has signed, as bytes; what is not there is empty, but for the cryptogram."""

    cryptogram: bytes
    """9F26, 8 bytes."""
    information: bytes = b""
    """9F27."""
    counter: bytes = b""
    """9F36."""


def parse_signed(data: bytes) -> Signed:
    """From field 55, BER-TLV (ISO/IEC 8825-1); FormatError names the field or the tag. Every other tag is passed over, unread."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag, length, start = _head(data, at)
        if start + length > len(data):
            raise FormatError("55", "ends inside an element")
        if tag in _LENGTHS:
            if tag in found or length != _LENGTHS[tag]:
                raise FormatError(f"55.{tag:04X}", f"is there twice, or not {_LENGTHS[tag]} bytes long")
            found[tag] = data[start : start + length]
        at = start + length
    if _CRYPTOGRAM not in found:
        raise FormatError(f"55.{_CRYPTOGRAM:04X}", "is missing")
    return Signed(found[_CRYPTOGRAM], found.get(_INFORMATION, b""), found.get(_COUNTER, b""))


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, length and where the value begins; a tag of one or more bytes, a length of one to three."""
    start, ended = at + 1, data[at] & _MORE_TAG_BYTES != _MORE_TAG_BYTES
    while not ended and start < len(data):
        ended = not data[start] & _NEXT_TAG_BYTE
        start += 1
    if not ended or start >= len(data):
        raise FormatError("55", "ends before a length")
    tag, length, more = int.from_bytes(data[at:start], "big"), data[start], 0
    start += 1
    if length & _LONG_FORM:
        more = length & ~_LONG_FORM
        if not 0 < more <= 2 or start + more > len(data):
            raise FormatError("55", "has a length that is not of one to three bytes")
        length = int.from_bytes(data[start : start + more], "big")
    return tag, length, start + more
