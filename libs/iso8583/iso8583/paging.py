"""Field 62 of a download (0800), a page at a time (terminal-protocol, Transactions): how a stop list travels, and so does everything else.

request     next index, 3 ASCII digits: how many records the terminal has
answer      flag (`0` the last page, `1` more follow) · count, 3 ASCII digits · so many records, which say themselves how long they are
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from iso8583.errors import FormatError

ROOM = 999
"""Bytes of field 62."""
MOST = 999
"""Records of a download: an index has three digits."""
_LAST, _MORE = b"0", b"1"
_HEAD, _DIGITS = 4, 3


class Page(NamedTuple):
    last: bool
    size: int
    """How many records it has."""
    records: bytes
    """Behind one another; `sized` and its like know where each ends."""


def page_of(records: Sequence[bytes], index: int) -> bytes:
    """The page that begins with record `index`: as many as there is room for. FormatError when there is no such record, or it is too long.

    >>> page_of([b"one", b"two"], 1)
    b'0001two'
    """
    if not 0 <= index <= len(records) or len(records) > MOST:
        raise FormatError("62", "is behind the last record")
    return page_from(records[index:], last=True)


def page_from(records: Sequence[bytes], *, last: bool) -> bytes:
    """The page that begins with these: as many as there is room for. `last`: there are none behind them. FormatError when one is too long.

    >>> page_from([b"one", b"two"], last=False)
    b'1002onetwo'
    """
    end, size = 0, _HEAD
    while end < len(records) and size + len(records[end]) <= ROOM:
        size += len(records[end])
        end += 1
    if not records and not last:
        raise FormatError("62", "is a page without a record that is not the last")
    if end == 0 < len(records):
        raise FormatError("62", "has no room for a record")
    flag = _LAST if last and end == len(records) else _MORE
    return flag + b"%03d" % end + b"".join(records[:end])


def parse_page(data: bytes) -> Page:
    """From field 62 of an answer, or FormatError."""
    flag, count = data[:1], data[1:_HEAD]
    if flag not in (_LAST, _MORE) or not (len(count) == _DIGITS and count.isdigit()):
        raise FormatError("62", "does not begin with a flag and a count of 3 digits")
    page = Page(flag == _LAST, int(count), data[_HEAD:])
    if page.size == 0 and not page.last:
        raise FormatError("62", "is a page without a record that is not the last")
    return page


def parse_index(data: bytes) -> int:
    """From field 62 of a request, or FormatError.

    >>> parse_index(b"008")
    8
    """
    if not (len(data) == _DIGITS and data.isdigit()):
        raise FormatError("62", "is not an index of 3 digits")
    return int(data)


def sized(record: bytes) -> bytes:
    """A record with its length in front, 3 ASCII digits.

    >>> sized(b"1120")
    b'0041120'
    """
    return b"%03d" % len(record) + record


def split_sized(page: Page) -> list[bytes]:
    """The records of a page of such; FormatError when they are more, fewer or longer than the page says."""
    records: list[bytes] = []
    at = 0
    while at < len(page.records):
        length = page.records[at : at + _DIGITS]
        if not (len(length) == _DIGITS and length.isdigit()):
            raise FormatError("62", "a record does not begin with its length, 3 digits")
        at += _DIGITS
        records.append(page.records[at : at + int(length)])
        at += int(length)
    if at != len(page.records) or len(records) != page.size:
        raise FormatError("62", "does not end with its last record")
    return records
