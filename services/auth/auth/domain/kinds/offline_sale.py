"""离线消费: terminal and chip have approved it, and its bank takes it. The switch refuses what the merchant may not do."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules()
