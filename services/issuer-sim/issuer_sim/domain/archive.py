"""What stays of approvals that are final: enough to give the money back, or to take it back, in 11 bytes each, out of memory.

A row: STAN (3 bytes, of which 20 bits are used; the highest bit says that the amount is below zero, the next that it is the second half
of a transfer), the account's place among the bank's accounts (3), the amount without its sign in minor units (5), big-endian. A row whose
amount is 0 is void.

A bank never forgets a sale, so the rows are no state to hold in memory: they stand on pages, which are a scratch file where a bank is run. On
the pages each terminal's blocks form a chain: where the block before it begins (8 bytes), how long the batch's number is (2) and how many
rows follow (4), the number, the rows. Memory holds where each terminal's last block begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

_STAN, _ACCOUNT, _AMOUNT = 3, 3, 5
_CREDIT, _INCOMING = 1 << 23, 1 << 22
ROW = _STAN + _ACCOUNT + _AMOUNT
_HEAD = struct.Struct(">qHI")
_NONE = -1
_CHUNK = 1 << 16
"""Of a dump: read and written in well under a millisecond."""


class Pages(Protocol):
    """Where the rows stand: bytes by their place, of which the end is whoever writes there last."""

    def read(self, at: int, length: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None:
        """All of it, or OSError."""


class Memory:
    """Pages for a bank that is small."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def read(self, at: int, length: int) -> bytes:
        return bytes(self._bytes[at : at + length])

    def write(self, at: int, data: bytes) -> None:
        self._bytes[at : at + len(data)] = data


class Row(NamedTuple):
    """One approval that stands."""

    stan: int
    account: int
    amount_minor: int
    """What it has taken; below zero: what it has given."""
    incoming: bool = False
    """The second half of a transfer."""


def fits(stan: str, amount_minor: int) -> bool:
    """Whether a row can say it: 6 digits of STAN (field 11), 12 of amount (field 4).

    >>> fits("000042", 999_999_999_999), fits("42", 1), fits("000042", -1), fits("000042", 10**12)
    (True, False, True, False)
    """
    return len(stan) == 6 and stan.isascii() and stan.isdigit() and abs(amount_minor) < 10**12


def pack(rows: Iterable[Row]) -> bytes:
    """
    >>> list(unpack(pack([Row(42, 7, -1234, True), Row(999999, 0, 999_999_999_999)])))
    [Row(stan=42, account=7, amount_minor=-1234, incoming=True), Row(stan=999999, account=0, amount_minor=999999999999, incoming=False)]
    """
    return b"".join(
        (row.stan | (_CREDIT if row.amount_minor < 0 else 0) | (_INCOMING if row.incoming else 0)).to_bytes(
            _STAN, "big"
        )
        + row.account.to_bytes(_ACCOUNT, "big")
        + abs(row.amount_minor).to_bytes(_AMOUNT, "big")
        for row in rows
    )


def unpack(rows: bytes) -> Iterator[Row]:
    number = int.from_bytes
    for at in range(0, len(rows), ROW):
        account, amount = at + _STAN, at + _STAN + _ACCOUNT
        first, minor = number(rows[at:account], "big"), number(rows[amount : at + ROW], "big")
        yield Row(
            first & (_INCOMING - 1),
            number(rows[account:amount], "big"),
            -minor if first & _CREDIT else minor,
            bool(first & _INCOMING),
        )


class Block(NamedTuple):
    """The rows of one batch, or some of them."""

    at: int
    """Where the rows begin."""
    batch: str
    rows: bytes


class Archive:
    """The rows of one bank, by terminal and batch. Looking one up reads the terminal's blocks, the newest first: a few µs for each."""

    def __init__(self, pages: Pages | None = None, last: dict[str, int] | None = None) -> None:
        """`pages` are empty; where `last` is given, they are still to be filled (extend)."""
        self.last = last if last is not None else {}
        """Terminal → where its last block begins."""
        self._pages = pages if pages is not None else Memory()
        self._end = 0

    def put(self, terminal: str, batch: str, rows: Iterable[Row]) -> None:
        """Adds rows to what is kept of a batch; raises OSError when there is no room for them."""
        packed, number = pack(rows), batch.encode()
        at = self._end
        self._append(_HEAD.pack(self.last.get(terminal, _NONE), len(number), len(packed) // ROW) + number + packed)
        self.last[terminal] = at

    def find(self, terminal: str, batch: str, stan: str, *, incoming: bool) -> Row | None:
        return next((row for _, row in self._standing(terminal, batch, stan, incoming)), None)

    def void(self, terminal: str, batch: str, stan: str, *, incoming: bool) -> None:
        """The row counts no longer; nothing, where there is none."""
        for at, row in self._standing(terminal, batch, stan, incoming):
            self._pages.write(at, pack([row._replace(amount_minor=0)]))

    def blocks(self, terminal: str) -> Iterator[Block]:
        """The newest first."""
        at = self.last.get(terminal, _NONE)
        while at != _NONE:
            read = self._pages.read
            before, length, rows = _HEAD.unpack(read(at, _HEAD.size))
            start = at + _HEAD.size + length
            yield Block(start, read(at + _HEAD.size, length).decode(), read(start, rows * ROW))
            at = before

    def chunks(self) -> Iterator[bytes]:
        """All that is written, for a snapshot: `last` and these are the archive."""
        for at in range(0, self._end, _CHUNK):
            yield self._pages.read(at, min(_CHUNK, self._end - at))

    def extend(self, chunk: bytes) -> None:
        """The next of `chunks`."""
        self._append(chunk)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Archive) and self.last == other.last and list(self.chunks()) == list(other.chunks())

    __hash__ = None  # type: ignore[assignment]

    def _standing(self, terminal: str, batch: str, stan: str, incoming: bool) -> Iterator[tuple[int, Row]]:
        """With its place."""
        for block in self.blocks(terminal):
            if block.batch == batch:
                for place, row in enumerate(unpack(block.rows)):
                    if f"{row.stan:06d}" == stan and row.incoming == incoming and row.amount_minor:
                        yield block.at + place * ROW, row

    def _append(self, data: bytes) -> None:
        self._pages.write(self._end, data)
        self._end += len(data)
