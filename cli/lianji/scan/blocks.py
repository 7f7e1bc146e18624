"""Clear PIN blocks of the world's cards, as bytes and as hex digits. 64 bits that are right are no chance: wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lianji.scan.wanted import Hit, Wanted

_SIZE, _HEAD = 8, 3
MASK = "*" * 16


class BlockSearch:
    def __init__(self, wanted: Wanted) -> None:
        self._blocks = wanted.blocks
        heads = sorted({block[:_HEAD] for block in wanted.blocks})
        self._bytes = re.compile(b"|".join(map(re.escape, heads)))
        texts = sorted({text for head in heads for text in (head.hex(), head.hex().upper())})
        self._hex = re.compile("|".join(texts).encode())

    def find(self, data: bytes) -> Iterator[Hit]:
        for match in self._bytes.finditer(data):
            start = match.start()
            if data[start : start + _SIZE] in self._blocks:
                yield Hit(start, start + _SIZE, "pin-block", "bytes", MASK)
        for match in self._hex.finditer(data):
            start = match.start()
            if _from_hex(data[start : start + 2 * _SIZE]) in self._blocks:
                yield Hit(start, start + 2 * _SIZE, "pin-block", "hex", MASK)


def _from_hex(text: bytes) -> bytes:
    """Empty for what is not hex."""
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        return b""
