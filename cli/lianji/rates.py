"""What banks that book in another currency bill, reckoned apart from them: for whoever checks or mends what they have booked."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.money import CNY
from world import Institution


def foreign_rates(institutions: Iterable[Institution]) -> dict[str, int]:
    """By institution, where it has another currency: what it bills for a million of the terminals' minor units."""
    return {bank.id: bank.rate_millionths for bank in institutions if bank.currency != CNY}


def billed(minor: int, rate_millionths: int | None) -> int:
    """What a bank books for `minor` of the terminals' currency, to the nearest minor unit of its own.

    >>> billed(10_001, 1_085_000), billed(10_001, None)
    (10851, 10001)
    """
    return minor if rate_millionths is None else (minor * rate_millionths + 500_000) // 1_000_000
