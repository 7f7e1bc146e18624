"""持卡人验证, a cardholder check: whether card and PIN are right, and nothing more."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.rule import Booking, Rule

RULE = Rule(rules.ASKING, lambda case: Booking(), numbered=False)
