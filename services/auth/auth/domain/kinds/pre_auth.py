"""预授权: asks the bank to set the amount aside."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules

RULES = Rules()
