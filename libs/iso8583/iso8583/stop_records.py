"""Records of the stop list that terminals download (field 62; terminal-protocol, Transactions): length n2, a card number or how it begins, a reason digit.

A number of length 00 is one that the host cannot read for the time being: it keeps its place, and says nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from iso8583.errors import FormatError
from iso8583.paging import Page

LENGTHS = range(6, 20)
"""Of a card number, or of how it begins: a bank's number and more."""
_HEAD = 2


class StopRecord(NamedTuple):
    digits: str
    """Of all cards that are meant. Card data: it is in no `repr`, so nobody prints it by accident."""
    reason: str
    """One digit."""

    def __repr__(self) -> str:
        return f"StopRecord(****, {self.reason})"

    def pack(self) -> bytes:
        """
        >>> StopRecord("629101", "4").pack()
        b'066291014'
        """
        return f"{len(self.digits):02d}{self.digits}{self.reason}".encode()


def split_stops(page: Page) -> list[bytes]:
    """The records of a page, each as it stands there; FormatError when they are more, fewer or other than the page says."""
    records: list[bytes] = []
    at = 0
    while at < len(page.records):
        length = page.records[at : at + _HEAD]
        if not (len(length) == _HEAD and length.isdigit()):
            raise FormatError("62", "a record does not begin with its length, 2 digits")
        end = at + _HEAD + int(length) + 1
        record = page.records[at:end]
        if not record.isdigit() or end > len(page.records) or (int(length) and int(length) not in LENGTHS):
            raise FormatError("62", "a record is not a number of 6 to 19 digits and a reason")
        records.append(record)
        at = end
    if len(records) != page.size:
        raise FormatError("62", "does not end with its last record")
    return records


def parse_stop(record: bytes) -> StopRecord:
    """One of those that `split_stops` gave.

    >>> parse_stop(b"066291014").reason
    '4'
    """
    text = record.decode("ascii")
    return StopRecord(text[_HEAD:-1], text[-1])
