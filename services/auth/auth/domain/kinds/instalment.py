"""分期消费: says in how many payments, and the bank says on which terms."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules(plan=True)
