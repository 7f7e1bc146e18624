"""What goes wrong on purpose, for drills in the test world: a bank's line to the switch (`issuer.v1.<institution>.fault`)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

LONGEST_DELAY_S = 600.0

Delay = Annotated[float, Meta(ge=0, le=LONGEST_DELAY_S)]
Share = Annotated[float, Meta(ge=0, le=1)]


class LineQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """How the bank's answers are to leave from now on. What is None stays as it is, so a question without anything only asks."""

    late_by_s: Delay | None = None
    """Seconds between an answer's being durable and its leaving."""
    lost_share: Share | None = None
    """Which part of the answers never leaves: 0 none, 1 all."""


class LineFault(msgspec.Struct, frozen=True, kw_only=True, tag="line"):
    """How the bank's answers leave now; Refused comes back for a question that cannot be read."""

    late_by_s: float
    lost_share: float
