"""What fields 53 and 59 say of how a message is protected (terminal-protocol, Field formats and Security).

59        LLLVAR, BER-TLV (ISO/IEC 8825-1), the tags in this order (ours)
├── DF01      key serial number: 10 bytes of TDES DUKPT, 12 of AES DUKPT
└── DF02      PIN block of 16 bytes, format 4; absent where there is none, or where field 52 has it
"""

from __future__ import annotations

from typing import NamedTuple

from iso8583.errors import FormatError

KSN_LENGTHS = (10, 12)
PIN_BLOCK_LENGTH = 16
"""Bytes of the block that does not fit field 52."""
_LENGTHS = {0xDF01: KSN_LENGTHS, 0xDF02: (PIN_BLOCK_LENGTH,)}
_TAG_SIZE, _HEAD_SIZE = 2, 3
_LONG_FORM = 0x80
"""Set in a length of more than one byte (ISO/IEC 8825-1, 8.1.3.5), which nothing here needs."""


class Field53(NamedTuple):
    """Field 53, 16 digits: how the PIN block is made, and whether the tracks are encrypted."""

    pin_format: str
    """53.1, n1: 1 format 0 without the card number, 2 format 0, 3 format 3, 4 format 4 (3 and 4 ours)."""
    algorithm: str
    """53.2, n1: 0 single DES, 3 SM4, 4 AES (ours), 6 3DES."""
    tracks: str = "0"
    """53.3, n1: 1 when the tracks are encrypted."""

    @classmethod
    def parse(cls, text: str) -> Field53:
        """From 16 digits; FormatError names the subfield that holds what the profile does not know."""
        if len(text) != 16:
            raise FormatError("53", "is not 16 digits")
        for number, (digit, known) in enumerate(zip(text, ("1234", "0346", "01"), strict=False), start=1):
            if digit not in known:
                raise FormatError(f"53.{number}", f"is not one of {', '.join(known)}")
        if text[3:].strip("0"):
            raise FormatError("53", "its last 13 digits are not zeros")
        return cls(*text[:3])

    def pack(self) -> str:
        return "".join(self).ljust(16, "0")


class Field59(NamedTuple):
    """Field 59: which key of a DUKPT terminal a message is under, and the PIN block that field 52 has no room for.

    >>> Field59.parse(bytes.fromhex("DF010AFF482110000009000001")).ksn.hex()
    'ff482110000009000001'
    """

    ksn: bytes
    pin_block: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Field59:
        """From a field's bytes; FormatError names the tag that is missing, cut short, unknown, twice, out of order or of another length."""
        found: dict[int, bytes] = {}
        at = 0
        while at < len(data):
            tag, value = _element(data, at)
            if found and tag <= max(found):
                raise FormatError(_path(tag), "is there twice, or behind a higher tag")
            found[tag] = value
            at += _HEAD_SIZE + len(value)
        if 0xDF01 not in found:
            raise FormatError(_path(0xDF01), "is missing")
        return cls(found[0xDF01], found.get(0xDF02, b""))

    def pack(self) -> bytes:
        """The field's bytes, or FormatError when a value has a length that its tag does not allow."""
        values = {0xDF01: self.ksn} | ({0xDF02: self.pin_block} if self.pin_block else {})
        for tag, value in values.items():
            _check_length(tag, len(value))
        return b"".join(tag.to_bytes(_TAG_SIZE, "big") + bytes([len(value)]) + value for tag, value in values.items())


def _element(data: bytes, at: int) -> tuple[int, bytes]:
    """The tag and the value that begin at `at`."""
    tag = int.from_bytes(data[at : at + _TAG_SIZE], "big")
    if tag not in _LENGTHS:
        raise FormatError("59", "holds a tag other than DF01 and DF02")
    start = at + _HEAD_SIZE
    if start > len(data):
        raise FormatError(_path(tag), "the field ends before its length")
    length = data[start - 1]
    if length & _LONG_FORM:
        raise FormatError(_path(tag), "its length is not of one byte")
    _check_length(tag, length)
    if start + length > len(data):
        raise FormatError(_path(tag), "the field ends inside it")
    return tag, data[start : start + length]


def _check_length(tag: int, length: int) -> None:
    if length not in _LENGTHS[tag]:
        wanted = " or ".join(map(str, _LENGTHS[tag]))
        raise FormatError(_path(tag), f"its length {length} is not {wanted}")


def _path(tag: int) -> str:
    return f"59.{tag:04X}"
