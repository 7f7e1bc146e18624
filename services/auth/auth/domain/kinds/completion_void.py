"""预授权完成撤销: gives back a whole completion of the same terminal and batch; the pre-authorization stays spent."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.rules import Rules
from contracts.kinds import CLAIMS, Kind

RULES = Rules(limited=False, claiming=Claiming(CLAIMS[Kind.COMPLETION_VOID]))
