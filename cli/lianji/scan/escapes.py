r"""Packed digits and PIN blocks in bytes that Python has written out: `b'\x16b\x91\x01\x00\x00\x00\x00\x12'`, as a frame in an error's text.

Some of the bytes are letters there, others escapes; in JSON the backslash is doubled, in JSON within JSON once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lianji.scan.bcd import BcdSearch
from lianji.scan.blocks import BlockSearch
from lianji.scan.wanted import Hit, Wanted

_ESCAPE = re.compile(rb"\\x[0-9a-f]{2}")
_WRITTEN = re.compile(rb"\\+(?:x([0-9a-f]{2})|([nrt\\'\"]))")
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
NEAR = 64
"""Bytes of text that may stand between two escapes of one literal, and around them: a track has 19."""


class EscapeSearch:
    def __init__(self, wanted: Wanted) -> None:
        self._searches = (BcdSearch(wanted), BlockSearch(wanted))

    def find(self, data: bytes) -> Iterator[Hit]:
        """Places are those of the stretch that holds the literal: where in it the digits begin is lost in the escapes."""
        for start, end in _stretches(data):
            written = _WRITTEN.sub(_byte, data[start:end])
            for search in self._searches:
                for hit in search.find(written):
                    yield hit._replace(start=start, end=end, form="escaped")


def _stretches(data: bytes) -> Iterator[tuple[int, int]]:
    """Where escapes stand close to one another, with their surroundings."""
    start = end = -1
    for match in _ESCAPE.finditer(data):
        if start < 0 or match.start() > end:
            if start >= 0:
                yield start, min(end, len(data))
            start = max(match.start() - NEAR, 0)
        end = match.end() + NEAR
    if start >= 0:
        yield start, min(end, len(data))


def _byte(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes.fromhex(match[1].decode())
    return _LETTERS.get(match[2], match[2])
