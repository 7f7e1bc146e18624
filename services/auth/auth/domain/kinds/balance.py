"""余额查询: no amount is asked for; the bank's answer is kept, so that a repetition is told the same balance."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules(amount=False)
