"""预授权完成撤销, the void of a completion: gives its amount back. The pre-authorization has been used all the same, and holds nothing again."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import give_back
from issuer_sim.domain.kinds.rule import Rule

RULE = Rule(rules.CLAIMING, give_back)
