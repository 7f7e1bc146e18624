"""预授权完成(通知): the same as a notice; its bank takes it, whatever the account holds. How much it may be is the same."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.completion import most_minor
from auth.domain.kinds.rules import Rules
from contracts import response_codes as rc
from contracts.kinds import CLAIMS, Kind

RULES = Rules(stoppable=False, claiming=Claiming(CLAIMS[Kind.COMPLETION_ADVICE], most_minor, rc.OVER_AMOUNT_LIMIT))
