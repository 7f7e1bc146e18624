"""A terminal as the switch sees it: its open batch, what that leaves while it is being closed, and afterwards."""

from __future__ import annotations

import msgspec

from contracts.authorization import BALANCED, Totals

FIRST_BATCH = "000001"


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


class Terminal(msgspec.Struct, kw_only=True):
    """A terminal as the switch sees it."""

    batch: str = FIRST_BATCH
    operator: str = ""
    signed_on: bool = False
    transactions: list[str] = []
    """Ids in the open batch, in order."""
    settling: int = 0
    """How many of them are to be settled with it, approved or not decided yet (contracts.batch)."""
    previous: list[str] = []
    """Ids in the batch that was closed last: a late reversal may still name them."""
    closed: ClosedBatch | None = None
    upload: Upload | None = None
    """Set while the open batch is unbalanced and nothing has happened in it since."""
    cryptograms: dict[str, str] = {}
    """Transaction → what its chip has signed, of the open and of the last closed batch, as far as it was uploaded."""
