"""预授权完成(通知), a completion as a notice: booked whatever the account holds, as long as the hold is open."""

from __future__ import annotations

from functools import partial

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import complete
from issuer_sim.domain.kinds.rule import Rule

RULE = Rule(rules.NOTICE, partial(complete, forced=True), forced=True)
STOOD_IN = RULE._replace(checks=rules.STOOD_IN)
"""The bank was silent when it was told the first time."""
