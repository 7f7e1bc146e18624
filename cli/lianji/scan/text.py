"""Card numbers and track 2 in text.

A card number is a run of 13 to 19 digits that has one of the world's BINs and passes the Luhn check; every tenth number that
begins like one does. So a run is judged by what stands around it. Inside a longer run of digits, inside a word of hex digits
(hashes, trace and span ids, cryptograms) and behind a decimal point, such a run is chance, and no find, unless it is the
number of one of the world's cards, which chance does not hit: that is how the hex dump of a frame is found. Numbers that begin
otherwise (RRNs, merchants, milliseconds, sequences) are never looked at. A track 2, card number, `D` or `=` and 7 more
digits, is a find wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lianji.scan.wanted import PAN_LENGTHS, TRACK_TAIL, Hit, Wanted, is_pan, masked_pan, masked_track

_RUN = re.compile(rb"[0-9]{1,%d}" % PAN_LENGTHS.stop)
_TRACK = re.compile(rb"([0-9]{13,19})[Dd=][0-9]{%d}" % TRACK_TAIL)
_FRACTION = re.compile(rb"(?:\A|[^0-9A-Za-z.])[0-9]+\.\Z")
"""A whole number and its point; not the `v1.` of a subject."""
_DIGITS = b"0123456789"
_HEX = _DIGITS + b"abcdefABCDEF"
_WORD = _DIGITS + b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NEIGHBOURHOOD = 80
"""Bytes to each side that are looked at: a SHA-256 in hex is 64."""


class TextSearch:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        starts = (f"{p}(?=[0-9]{{{max(PAN_LENGTHS.start - len(p), 0)}}})" for p in wanted.prefixes)
        self._start = re.compile("|".join(starts).encode())

    def find(self, data: bytes) -> Iterator[Hit]:
        done = 0
        for match in self._start.finditer(data):
            if match.start() >= done and (hit := self._judge(data, match.start())) is not None:
                yield hit
                done = hit.end

    def _judge(self, data: bytes, start: int) -> Hit | None:
        run = _RUN.match(data, start)
        if run is None:  # cannot be: the prefix is made of digits
            return None
        digits = run[0].decode()
        track = _TRACK.match(data, start)
        if track is not None and is_pan(digits):
            return Hit(start, track.end(), "track2", "text", masked_track(digits))
        inside = _inside(data, start, run.end())
        pan = digits if is_pan(digits) and not inside else self._wanted.known(digits)
        return Hit(start, start + len(pan), "pan", "text", masked_pan(pan), inside) if pan else None


def _inside(data: bytes, start: int, end: int) -> bool:
    """Whether the run stands in a longer run of digits, in a word of hex digits, or behind a decimal point."""
    before, after = data[max(start - NEIGHBOURHOOD, 0) : start], data[end : end + NEIGHBOURHOOD]
    left = before[len(before.rstrip(_WORD)) :]
    right = after[: len(after) - len(after.lstrip(_WORD))]
    if left[-1:].isdigit() or right[:1].isdigit():
        return True
    if _FRACTION.search(before):
        return True
    return bool(left or right) and not (left + right).strip(_HEX)
