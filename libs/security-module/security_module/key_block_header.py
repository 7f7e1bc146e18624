"""The header of a TR-31 key block: what a key is for, in 16 characters that all may read and nobody may change; then optional blocks.

Offsets: version 0, length 1-4, usage 5-6, algorithm 7, mode of use 8, key version 9-10, exportability 11, optional blocks 12-13, reserved 14-15.
"""

from __future__ import annotations

import string
from typing import NamedTuple

from security_module.errors import KeyFormatError

SIZE = 16
LONGEST = 4096
"""Characters of a block that is looked at."""
_ALPHABET = frozenset(string.digits + string.ascii_uppercase)
_HEX = frozenset(string.digits + "ABCDEF")


class Header(NamedTuple):
    """One key block's header, without its length and its optional blocks."""

    version: str
    """A, C: variants of a TDES key. B: derivation from a TDES key. D: derivation from an AES key."""
    usage: str
    algorithm: str
    mode: str
    exportability: str
    key_version: str = "00"

    def text(self, length: int) -> str:
        """The 16 characters of a block of `length` characters without optional blocks."""
        return f"{self.version}{length:04d}{self.usage}{self.algorithm}{self.mode}{self.key_version}{self.exportability}0000"


def parse(block: str) -> tuple[Header, int]:
    """(header, characters up to the encrypted part); KeyFormatError names what is wrong and holds nothing of the block."""
    if not SIZE <= len(block) <= LONGEST or not (block.isascii() and block.isprintable()):
        raise KeyFormatError(f"key block: {len(block)} characters, or some that are not printable ASCII")
    if not _digits(block[1:5]) or int(block[1:5]) != len(block):
        raise KeyFormatError("key block: length, not that of the block")
    if not _digits(block[12:14]) or not set(block[5:12]) <= _ALPHABET or block[14:16] != "00":
        raise KeyFormatError("key block: header, not of its form")
    if block[11] not in "ENS":
        raise KeyFormatError("key block: exportability, not E, N or S")
    if block[9] == "C":
        raise KeyFormatError("key block: a component of a key, not a key")
    header = Header(block[0], block[5:7], block[7], block[8], block[11], block[9:11])
    return header, _after_optional(block, int(block[12:14]))


def _after_optional(block: str, count: int) -> int:
    """Where the encrypted part begins. Optional blocks are authenticated with the rest, and read over: ID (2), length (2 hex), data."""
    at = SIZE
    for _ in range(count):
        length = _hex(block[at + 2 : at + 4], 2)
        smallest = 4
        if not length:  # then the length's own length follows, and the length in as many digits
            digits = _hex(block[at + 4 : at + 6], 2)
            length = _hex(block[at + 6 : at + 6 + digits], digits)
            smallest = 6 + digits
        if length < smallest or at + length > len(block):
            raise KeyFormatError("key block: optional block, length")
        at += length
    return at


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _hex(text: str, length: int) -> int:
    if not length or len(text) != length or not set(text) <= _HEX:
        raise KeyFormatError("key block: optional block, length")
    return int(text, 16)


def hex_bytes(text: str) -> bytes:
    """Upper-case hex only, so that a block has one spelling; KeyFormatError."""
    if len(text) % 2 or not set(text) <= _HEX:
        raise KeyFormatError("key block: encrypted part, not upper-case hex")
    return bytes.fromhex(text)
