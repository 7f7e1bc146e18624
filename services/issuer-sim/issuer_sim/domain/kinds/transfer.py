"""转账, a transfer: from the payer's card, as a sale is, and at the receiver's bank to a card of which only the number is known."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.funds import take
from issuer_sim.domain.kinds.rule import Booking, Rule

RULE = Rule(rules.TAKING, take)
INCOMING = Rule(rules.INCOMING, lambda case: Booking(-case.asked.amount_minor))
