"""分期消费撤销: gives back a whole instalment sale of the same terminal and batch."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.rules import Rules
from contracts.kinds import CLAIMS, Kind

RULES = Rules(limited=False, claiming=Claiming(CLAIMS[Kind.INSTALMENT_VOID]))
