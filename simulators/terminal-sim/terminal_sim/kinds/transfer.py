"""Transfer: field 62 of the request names the card that it goes to."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.pan import Pan
from contracts.terms import InstalmentPlan
from iso8583 import Value, with_target


def write(plan: InstalmentPlan | None, target: Pan | None) -> Mapping[int, Value]:
    """Field 62; FormatError when it is no card number."""
    return {} if target is None else {62: with_target(target.clear())}
