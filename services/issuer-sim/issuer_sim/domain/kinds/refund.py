"""退货, a refund: gives back as much of an earlier sale or completion as the merchant says."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import give_back
from issuer_sim.domain.kinds.rule import Rule

RULE = Rule(rules.CLAIMING, give_back)
