"""Clear PIN blocks of the world's cards, as bytes and as hex digits. 64 bits that are right are no chance: wherever they stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from lianji.scan.wanted import Hit, RandomlyFilled, Wanted

_SIZE, _HEAD = 8, 3
MASK = "*" * 16


class BlockSearch:
    def __init__(self, wanted: Wanted) -> None:
        self._blocks = wanted.blocks
        self._filled: dict[bytes, list[RandomlyFilled]] = defaultdict(list)
        for one in wanted.filled:
            self._filled[one.head].append(one)
        heads = sorted({block[:_HEAD] for block in wanted.blocks} | set(self._filled))
        self._bytes = re.compile(b"|".join(map(re.escape, heads)))
        texts = sorted({text for head in heads for text in (head.hex(), head.hex().upper())})
        self._hex = re.compile("|".join(texts).encode())

    def find(self, data: bytes) -> Iterator[Hit]:
        for match in self._bytes.finditer(data):
            start = match.start()
            if self._is_one(data[start : start + _SIZE]):
                yield Hit(start, start + _SIZE, "pin-block", "bytes", MASK)
        for match in self._hex.finditer(data):
            start = match.start()
            if self._is_one(_from_hex(data[start : start + 2 * _SIZE])):
                yield Hit(start, start + 2 * _SIZE, "pin-block", "hex", MASK)

    def _is_one(self, block: bytes) -> bool:
        if block in self._blocks:
            return True
        return len(block) == _SIZE and any(one.is_it(block) for one in self._filled.get(block[:_HEAD], ()))


def _from_hex(text: bytes) -> bytes:
    """Empty for what is not hex."""
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        return b""
