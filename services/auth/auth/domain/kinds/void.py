"""消费撤销: gives back a whole sale of the same terminal and batch. What had been sold within the limit may be given back whatever the limit is now."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.rules import Rules
from contracts.kinds import CLAIMS, Kind

RULES = Rules(limited=False, claiming=Claiming(CLAIMS[Kind.VOID]))
