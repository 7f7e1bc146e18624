"""离线消费, an offline sale: approved by terminal and chip alone, booked whatever the account holds."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.rule import Booking, Rule

RULE = Rule(rules.NOTICE, lambda case: Booking(case.asked.amount_minor), forced=True)
STOOD_IN = RULE._replace(checks=rules.STOOD_IN)
"""The bank was silent when it was told the first time."""
