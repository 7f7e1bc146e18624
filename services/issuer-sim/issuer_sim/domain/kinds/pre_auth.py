"""预授权, a pre-authorization: sets its amount aside for the bank's term."""

from __future__ import annotations

from contracts import response_codes as rc
from issuer_sim.domain import rules
from issuer_sim.domain.kinds.rule import Booking, Case, Rule


def _book(case: Case) -> Booking | str:
    asked = case.asked
    if asked.amount_minor > case.available_minor:
        return rc.INSUFFICIENT_FUNDS
    return Booking(held_minor=asked.amount_minor, expires_ms=asked.at_ms + asked.bank.hold_ms)


RULE = Rule(rules.TAKING, _book)
