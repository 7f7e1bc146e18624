"""What a batch upload (0320) brings: field 48 with details or their count, and of field 55 what a chip has signed (terminal-protocol, Which fields)."""

from __future__ import annotations

from typing import NamedTuple

from iso8583 import tlv
from iso8583.errors import FormatError

MOST = 8
"""Details in one message."""
_WIDTH = 40
_CARD_KINDS = ("00", "01")
_CRYPTOGRAM, _INFORMATION, _COUNTER = "9F26", "9F27", "9F36"
_SIZES = {_CRYPTOGRAM: 8, _INFORMATION: 1, _COUNTER: 2}


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
    """From field 55, BER-TLV; FormatError names the field or the tag. Every other tag is passed over, unread."""
    found = tlv.parse(data, "55")
    for tag, size in _SIZES.items():
        if tag in found and len(found[tag]) != size:
            raise FormatError(f"55.{tag}", f"is not {size} bytes long")
    if _CRYPTOGRAM not in found:
        raise FormatError(f"55.{_CRYPTOGRAM}", "is missing")
    return Signed(found[_CRYPTOGRAM], found.get(_INFORMATION, b""), found.get(_COUNTER, b""))
