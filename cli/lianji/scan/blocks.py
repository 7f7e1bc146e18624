"""Clear PIN blocks of the world's cards, as bytes and as hex digits. 64 bits that are right are no chance: wherever they stand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from lianji.scan.wanted import Hit, RandomlyFilled, Wanted

_SIZE, _HEAD = 8, 3
MASK = "*" * 16


class BlockSearch:
    def __init__(self, wanted: Wanted) -> None:
        self._blocks = wanted.blocks
        self._filled: dict[bytes, list[RandomlyFilled]] = defaultdict(list)
        for one in wanted.filled:
            self._filled[one.head].append(one)
        heads = {block[:_HEAD] for block in wanted.blocks} | set(self._filled)
        # One expression a first byte: those that begin with plain bytes are four times as fast.
        together = [[head for head in heads if head[:1] == first] for first in sorted({head[:1] for head in heads})]
        self._bytes = [re.compile(_one_of(some)) for some in together]
        self._hex = [re.compile(_one_of(_in_hex(some))) for some in together]

    def find(self, data: bytes) -> Iterator[Hit]:
        for match in chain.from_iterable(p.finditer(data) for p in self._bytes):
            start = match.start()
            if self._is_one(data[start : start + _SIZE]):
                yield Hit(start, start + _SIZE, "pin-block", "bytes", MASK)
        for match in chain.from_iterable(p.finditer(data) for p in self._hex):
            start = match.start()
            if self._is_one(_from_hex(data[start : start + 2 * _SIZE])):
                yield Hit(start, start + 2 * _SIZE, "pin-block", "hex", MASK)

    def _is_one(self, block: bytes) -> bool:
        if block in self._blocks:
            return True
        return len(block) == _SIZE and any(one.is_it(block) for one in self._filled.get(block[:_HEAD], ()))


def _one_of(words: Iterable[bytes]) -> bytes:
    """An expression for any of the words, of which each beginning stands once: trying them one by one takes three times as long.

    >>> _one_of([b"ab", b"ac", b"xy"])
    b'(?:a[bc]|xy)'
    """
    rests: dict[bytes, set[bytes]] = defaultdict(set)
    for word in words:
        rests[word[:1]].add(word[1:])
    if all(rest == {b""} for rest in rests.values()):
        firsts = b"".join(re.escape(first) for first in sorted(rests))
        return firsts if len(rests) == 1 else b"[" + firsts + b"]"
    branches = [re.escape(first) + _one_of(rests[first]) for first in sorted(rests)]
    return branches[0] if len(branches) == 1 else b"(?:" + b"|".join(branches) + b")"


def _in_hex(words: Iterable[bytes]) -> list[bytes]:
    return [text.encode() for word in words for text in (word.hex(), word.hex().upper())]


def _from_hex(text: bytes) -> bytes:
    """Empty for what is not hex."""
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        return b""
