"""BER-TLV as chips and terminals use it (ISO/IEC 8825-1, EMV 4.3 Book 3 annex B): tags of one to three bytes, definite lengths.

Only the shortest form of a length is read, and no padding: what is read and written again is the same bytes, so that nothing can stand
in a message that its reader has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from iso8583.errors import FormatError

TAG_MOST = 3
"""Bytes of a tag."""
_MORE_TAG = 0x1F
"""The low bits of a first byte that others follow."""
_FOLLOWS = 0x80
_SHORT_MOST = 0x7F
_LONG = {0x81: 1, 0x82: 2}
"""First byte of a long length → bytes that hold it."""


class Element(NamedTuple):
    """One data object, in hex its tag, and its value. A constructed one's value is the objects in it, unread."""

    tag: str
    value: bytes


def elements(data: bytes, path: str) -> Iterator[Element]:
    """The objects of `data` in order; FormatError names `path` and the tag, never what the object holds.

    >>> [(tag, value.hex()) for tag, value in elements(bytes.fromhex("9F360200019A03260101"), "55")]
    [('9F36', '0001'), ('9A', '260101')]
    """
    at = 0
    while at < len(data):
        tag, at = _tag(data, at, path)
        length, at = _length(data, at, f"{path}.{tag}")
        if at + length > len(data):
            raise FormatError(f"{path}.{tag}", "the field ends inside it")
        yield Element(tag, data[at : at + length])
        at += length


def parse(data: bytes, path: str) -> dict[str, bytes]:
    """The objects by tag; FormatError also for one that is there twice."""
    found: dict[str, bytes] = {}
    for tag, value in elements(data, path):
        if tag in found:
            raise FormatError(f"{path}.{tag}", "is there twice")
        found[tag] = value
    return found


def pack(objects: Mapping[str, bytes]) -> bytes:
    """The bytes of objects by tag, in their order.

    >>> pack({"9F36": bytes.fromhex("0001")}).hex()
    '9f36020001'
    """
    return b"".join(element(tag, value) for tag, value in objects.items())


def element(tag: str, value: bytes) -> bytes:
    """One object. A tag that is none is its caller's mistake."""
    return bytes.fromhex(tag) + _packed_length(len(value)) + value


def _packed_length(length: int) -> bytes:
    if length <= _SHORT_MOST:
        return bytes([length])
    return b"\x81" + bytes([length]) if length < 0x100 else b"\x82" + length.to_bytes(2, "big")


def _tag(data: bytes, at: int, path: str) -> tuple[str, int]:
    """The tag that begins at `at`, in hex, and where its length stands."""
    end = at + 1
    if data[at] & _MORE_TAG == _MORE_TAG:
        while end < len(data) and data[end] & _FOLLOWS and end - at < TAG_MOST:
            end += 1
        end += 1
    tag = data[at:end].hex().upper()
    if end > len(data):
        raise FormatError(path, "ends inside a tag")
    if data[at] == 0 or end - at > TAG_MOST:
        raise FormatError(path, "holds a tag that is none")
    return tag, end


def _length(data: bytes, at: int, path: str) -> tuple[int, int]:
    """The length at `at`, and where the value begins."""
    if at >= len(data):
        raise FormatError(path, "the field ends before its length")
    first = data[at]
    if first <= _SHORT_MOST:
        return first, at + 1
    if first not in _LONG:
        raise FormatError(path, "its length is neither of one byte nor 81 or 82 and the bytes that it says")
    end = at + 1 + _LONG[first]
    if end > len(data):
        raise FormatError(path, "the field ends inside its length")
    length = int.from_bytes(data[at + 1 : end], "big")
    if length <= (_SHORT_MOST if first == 0x81 else 0xFF):  # ISO/IEC 8825-1, 10.1: the fewest bytes
        raise FormatError(path, "its length is longer than need be")
    return length, end
