"""离线消费: terminal and chip have approved it, and its bank takes it. The switch refuses what the merchant may not do, and
what is above its floor limit: for that the terminal has to ask."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules(floor=True)
