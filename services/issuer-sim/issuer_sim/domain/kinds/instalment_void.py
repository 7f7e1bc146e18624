"""分期消费撤销, the void of an instalment sale: gives its amount back, and nothing of it is billed."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import give_back
from issuer_sim.domain.kinds.rule import Rule

RULE = Rule(rules.CLAIMING, give_back)
