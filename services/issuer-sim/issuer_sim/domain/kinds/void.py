"""消费撤销, the void of a sale: gives its amount back."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import give_back
from issuer_sim.domain.kinds.rule import Rule

RULE = Rule(rules.CLAIMING, give_back)
