"""How much one batch of a terminal can hold.

Field 48 counts debits and credits with three digits each, and an upload tells 999 details of both: a batch that held more could not be closed.
So the last places are kept for what its terminal did not choose to begin: first for what gives back, then for goods that are gone already.
"""

from __future__ import annotations

from contracts.kinds import KINDS, Kind, KindFacts

MOST = 999
"""Settling transactions in all: approved, or not decided yet."""
MOST_WITH_RETURNS = 949
"""Up to which a void or a refund is taken."""
MOST_WITH_SALES = 899
"""Up to which money is taken by request: sales, instalment sales, completions."""


def _most(facts: KindFacts) -> int:
    if facts.advice or not facts.settles:
        return MOST
    return MOST_WITH_SALES if facts.debit else MOST_WITH_RETURNS


MOST_WITH: dict[Kind, int] = {kind: _most(facts) for kind, facts in KINDS.items()}
"""What a batch holds at most with a transaction of this kind as its last. What is not settled takes no place."""
SETTLING = frozenset(kind for kind, facts in KINDS.items() if facts.settles)
