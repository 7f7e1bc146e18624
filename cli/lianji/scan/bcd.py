"""Card numbers and track 2 as packed digits (BCD), two a byte, as they stand in a frame.

Packed digits have no end: what follows may be the next field's. A card number is a find when it is one of the world's, or
when it passes the Luhn check and its bounds are there: the length byte of an LLVAR field, or a chip's tag 5A and its length, in front of it, a track's
separator (D) with an expiry and a service code behind it, or nothing but it in the value, filler (F) apart. A digit run in other binary
data is chance: among the checksums of a few million of the broker's records, lengths and sequences behind them, chance has made such a
number with a D and seven digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from lianji.scan.wanted import PAN_LENGTHS, TRACK_TAIL, Hit, Wanted, is_pan, masked_pan, masked_track

_TRACK = re.compile(rf"([0-9]{{13,19}})d([0-9]{{{TRACK_TAIL}}})")
_TAIL = re.compile("[0-9]{2}(?:0[1-9]|1[0-2])[125679][024][0-7]")
"""Expiry (YYMM) and service code as ISO/IEC 7813 has them."""
_RUN = re.compile(r"[0-9]+")
_CARD_NUMBER, _CARD_NUMBER_SIZES = b"\x5a", range(7, 11)
"""Tag 5A of a chip's data, and the bytes that its length may say (EMV 4.3 Book 3, annex A). Tag 57 is a track, with or without its tag."""
_LONGEST = 20
"""Bytes: a track 2 of 37 digits, and one."""
SEPARATOR = b"\xff\xff"
"""Between values that are searched together: filler for packed digits, and no text."""


class BcdSearch:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        # One expression a prefix: those that begin with plain bytes are ten times as fast.
        self._aligned = [re.compile(_pattern(p), re.DOTALL) for p in wanted.prefixes]
        self._shifted = [re.compile(_pattern(p[1:]), re.DOTALL) for p in wanted.prefixes]

    def find(self, data: bytes) -> Iterator[Hit]:
        for match in chain.from_iterable(p.finditer(data) for p in self._aligned):
            start = match.start()
            if hit := self._judge(data[start : start + _LONGEST].hex(), start, data[max(start - 2, 0) : start]):
                yield hit
        for match in chain.from_iterable(p.finditer(data) for p in self._shifted):
            start = match.start() - 1  # the first digit is the second half of the byte before
            if start >= 0 and (hit := self._judge(data[start : start + _LONGEST].hex()[1:], start, None)):
                yield hit

    def _judge(self, digits: str, start: int, before: bytes | None) -> Hit | None:
        """`before`: the two bytes in front, fewer at the beginning; None when the number does not begin with a byte."""
        if not digits.startswith(self._wanted.prefixes):
            return None
        track = _TRACK.match(digits)
        if track is not None and is_pan(track[1]) and (_TAIL.match(track[2]) or self._wanted.known(track[1])):
            return Hit(start, start + len(track[0]) // 2, "track2", "bcd", masked_track(track[1]))
        pan = self._wanted.known(digits) or ("" if before is None else _bounded(digits, before))
        return Hit(start, start + (len(pan) + 1) // 2, "pan", "bcd", masked_pan(pan)) if pan else None


def _bounded(digits: str, before: bytes) -> str:
    """The card number whose bounds are in the data, or nothing."""
    if before[:-1] == _CARD_NUMBER and before[-1] in _CARD_NUMBER_SIZES:
        pan = digits[: 2 * before[-1]].rstrip("f")
        return pan if pan.isdigit() and is_pan(pan) else ""
    before = before[-1:]
    length = int(before.hex()) if before.hex().isdigit() else 0
    if length in PAN_LENGTHS and digits[:length].isdigit() and is_pan(digits[:length]):
        return digits[:length]
    run = _RUN.match(digits)
    if run is None or before not in (b"", SEPARATOR[:1]) or digits[run.end() : run.end() + 1] not in ("", "f"):
        return ""
    return run[0] if is_pan(run[0]) else ""


def _pattern(digits: str) -> bytes:
    """A regular expression for bytes that hold these digits; the last one may have any neighbour."""
    whole, rest = bytes.fromhex(digits[: len(digits) // 2 * 2]), digits[len(digits) // 2 * 2 :]
    pattern = b"".join(b"\\x%02x" % byte for byte in whole)
    return pattern + (b"[\\x%s0-\\x%sf]" % (rest.encode(), rest.encode()) if rest else b"")
