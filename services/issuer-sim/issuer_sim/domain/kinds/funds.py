"""What is there to be spent."""

from __future__ import annotations

from contracts import response_codes as rc
from issuer_sim.domain.kinds.rule import Booking, Case


def take(case: Case) -> Booking | str:
    """The amount leaves the account, if it is there."""
    if case.asked.amount_minor > case.available_minor:
        return rc.INSUFFICIENT_FUNDS
    return Booking(case.asked.amount_minor)
