"""预授权完成(请求), a completion as a request: the bank refuses what is more than the hold and not there."""

from __future__ import annotations

from functools import partial

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import complete
from issuer_sim.domain.kinds.rule import Rule

RULE = Rule(rules.CLAIMING, partial(complete, forced=False))
