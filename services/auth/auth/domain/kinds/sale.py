"""消费: the bank may approve a part of it, where the terminal can take that (60.6)."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules(part=True)
