"""What a terminal's batch leaves at the switch while it is being closed, and afterwards."""

from __future__ import annotations

import msgspec

from contracts.authorization import BALANCED, Totals


class ClosedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """How a terminal's last batch was closed: what a repeated 0500 is answered."""

    batch: str
    rrn: str
    at_ms: int
    totals: Totals
    result: str = BALANCED


class Upload(msgspec.Struct, kw_only=True):
    """What a terminal has told of a batch whose totals differed (auth.domain.upload). Of the close that was asked for last: its STAN tells."""

    stan: str
    operator: str
    currency: str
    details: dict[str, int] = {}
    """STAN → amount in minor units."""
