"""预授权撤销: what a pre-authorization holds is free again, whichever of the merchant's terminals says so."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.rules import Rules
from contracts.kinds import CLAIMS, Kind

RULES = Rules(limited=False, claiming=Claiming(CLAIMS[Kind.PRE_AUTH_VOID]))
