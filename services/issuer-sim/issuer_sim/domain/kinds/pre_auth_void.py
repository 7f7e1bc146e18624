"""预授权撤销, the void of a pre-authorization: what it has set aside can be spent again."""

from __future__ import annotations

from issuer_sim.domain import rules
from issuer_sim.domain.kinds.originals import standing_hold
from issuer_sim.domain.kinds.rule import Booking, Case, Rule


def _book(case: Case) -> Booking | str:
    hold = standing_hold(case)
    return hold if isinstance(hold, str) else Booking(releases=case.asked.original, released_minor=hold.minor)


RULE = Rule(rules.CLAIMING, _book)
