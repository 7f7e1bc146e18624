"""What stays of approvals that are final: enough to give the money back, or to take it back, in 11 bytes each.

A row: STAN (3 bytes, of which 20 bits are used; the highest bit says that the amount is below zero, the next that it is the second half
of a transfer), the account's place among the bank's accounts (3), the amount without its sign in minor units (5), big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_STAN, _ACCOUNT, _AMOUNT = 3, 3, 5
_CREDIT, _INCOMING = 1 << 23, 1 << 22
ROW = _STAN + _ACCOUNT + _AMOUNT


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
