"""Transfer: field 62 of the request names the card that it goes to, length n2 and number, ASCII digits (ours)."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from iso8583 import Value


def write(plan: InstalmentPlan | None, target: Pan | None) -> Mapping[int, Value]:
    """Field 62.

    >>> write(None, Pan("6291010000000012"))
    {62: b'166291010000000012'}
    """
    if target is None:
        return {}
    number = target.clear()
    return {62: f"{len(number):02d}{number}".encode()}
