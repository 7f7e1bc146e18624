"""Bugs of the stop list, at the switch."""

from __future__ import annotations

from auth.domain.stop_list import StopList
from simulation.bugs.bug import Replaced


def _nobody(self: StopList, digest: str, others: tuple[str, ...], digits: str) -> str:
    return ""


NOT_LOOKED_AT = (Replaced(StopList, "reason", _nobody),)
