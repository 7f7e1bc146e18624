"""Large states as bytes, in parts that are decoded one at a time: whoever reads a million rows must be able to do something else in between.

A part: its length (8 bytes, big-endian), then its content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")

ROWS = 4096
"""In one part: a few milliseconds to decode."""
_LENGTH = 8


def join(parts: Iterable[bytes]) -> bytes:
    """
    >>> join([b"one", b""])
    b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x03one\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'
    """
    return b"".join(piece for part in parts for piece in (len(part).to_bytes(_LENGTH, "big"), part))


def split(data: bytes) -> Iterator[memoryview]:
    """The parts that were joined; msgspec.DecodeError when the bytes are no such thing, also behind parts that could be read.

    >>> [bytes(part) for part in split(join([b"one", b""]))]
    [b'one', b'']
    """
    whole, at = memoryview(data), 0
    while at < len(whole):
        start = at + _LENGTH
        end = start + int.from_bytes(whole[at:start], "big")
        if end > len(whole):
            raise msgspec.DecodeError("cut short")
        yield whole[start:end]
        at = end


def slices(rows: Mapping[K, V], size: int = ROWS) -> Iterator[dict[K, V]]:
    """`rows` in their order, `size` at a time.

    >>> list(slices({1: "a", 2: "b", 3: "c"}, 2))
    [{1: 'a', 2: 'b'}, {3: 'c'}]
    """
    items = iter(rows.items())
    while part := dict(islice(items, size)):
        yield part
