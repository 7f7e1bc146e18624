"""The stop list in a terminal: what is kept of its records, and which card is on it.

The memory holds no card numbers, so a record is kept as a reason, a length and a digest of the digits under the terminal's own local key; that
key is not in the file. A card is looked up by the digests of as many of its digits as records have.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.pan import Pan
from contracts.response_codes import CAPTURE_CARD
from contracts.stop_list import DIGITS
from iso8583 import parse_stop
from terminal_sim.downloaded import Downloaded
from terminal_sim.seal import Seal

CODES = {digit: code for code, digit in DIGITS.items()}
"""Reason digit → what the terminal says instead of asking its host; one that is not known captures."""
_HEAD = 3


def keep(seal: Seal, records: Iterable[bytes]) -> list[bytes]:
    """The records of a page as the memory has them: reason, n2 length, 32 hex digits. One without a number stays as a place alone."""
    kept = []
    for record in map(parse_stop, records):
        digest = seal.digest(record.digits) if record.digits else ""
        kept.append(f"{record.reason}{len(record.digits):02d}{digest}".encode())
    return kept


STOP_LIST = "390"
"""60.3 of its download."""


class StopList:
    """Of one terminal: the list in force, made ready once for each version."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._of: Downloaded | None = None
        self._codes: dict[str, str] = {}
        self._lengths: tuple[int, ...] = ()

    def code(self, downloaded: Downloaded | None, pan: Pan) -> str:
        """The response code for a card that is on the list; empty when it is not. The longest record that fits wins."""
        if downloaded is None:
            return ""
        if downloaded is not self._of:
            self._read(downloaded)
        digits = pan.clear()
        for length in self._lengths:
            if length <= len(digits) and (found := self._codes.get(self._seal.digest(digits[:length]))):
                return found
        return ""

    def _read(self, downloaded: Downloaded) -> None:
        rows = [record.decode("ascii") for record in downloaded.records]
        self._of = downloaded
        self._codes = {row[_HEAD:]: CODES.get(row[0], CAPTURE_CARD) for row in rows if row[_HEAD:]}
        self._lengths = tuple(sorted({int(row[1:_HEAD]) for row in rows if row[_HEAD:]}, reverse=True))
