"""Who a transaction is, and where it lives."""

from __future__ import annotations

import hashlib
from functools import lru_cache


def transaction_id(terminal: str, batch: str, stan: str) -> str:
    """The identity of a transaction at the switch, at the issuer and after: terminal (field 41), batch (60.2) and STAN (field 11).

    A reversal repeats its original's STAN and batch, so both compute the same identity; that is what lets a tombstone meet a late original.

    >>> transaction_id("10000001", "000001", "000042")
    '10000001:000001:000042'
    """
    return f"{terminal}:{batch}:{stan}"


def identity_of(id_: str) -> tuple[str, str, str]:
    """Terminal, batch and STAN of a transaction; of anything else the parts that it has, from the right.

    >>> identity_of("10000001:000001:000042")
    ('10000001', '000001', '000042')
    """
    front, _, stan = id_.rpartition(":")
    terminal, _, batch = front.rpartition(":")
    return terminal, batch, stan


@lru_cache(maxsize=4096)
def shard_of(merchant: str, shards: int) -> int:
    """The shard, 0-based, of everything that belongs to a merchant (field 42). Stable over processes and releases.

    >>> shard_of("001100053110001", 1)
    0
    """
    return int.from_bytes(hashlib.sha256(merchant.encode()).digest()[:4], "big") % shards


def format_rrn(shard: int, number: int) -> str:
    """Field 37 (an12): two digits of shard and ten of a counter that the shard's journal keeps, so no two are ever alike.

    >>> format_rrn(1, 42)
    '010000000042'
    """
    return f"{shard:02d}{number:010d}"


def shard_of_rrn(rrn: str) -> int:
    """The shard whose journal holds the transaction; ValueError when it is no RRN of this stack."""
    if len(rrn) != 12 or not (rrn.isascii() and rrn.isdigit()):
        raise ValueError(f"rrn: {rrn!r} is not 12 digits")
    return int(rrn[:2])


def stand_in_code(rrn: str) -> str:
    """Field 38 of what the switch has approved in a bank's stead.

    >>> stand_in_code("010000000042")
    'S00042'
    """
    return f"S{rrn[-5:]}"
