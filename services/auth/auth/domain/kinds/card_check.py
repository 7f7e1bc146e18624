"""持卡人验证, before a transfer: the bank says whether card and PIN are right, and nothing else comes of it."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules(amount=False)
