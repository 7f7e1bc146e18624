"""转账: from the card that was swiped to one that was keyed. Asked of the bank that pays, then of the one that gets it (ADR 0027)."""

from __future__ import annotations

from auth.domain.kinds.rules import Rules
from auth.domain.register import Register
from contracts import response_codes as rc
from contracts.authorization import Target
from contracts.pan import Pan, luhn_valid


def target_refusal(register: Register, card: Pan, target: Target) -> str:
    """Why nothing may go to that card; empty: it may.

    Its being stopped is 62 and never the stop list's own code: that would have the terminal keep the payer's card.
    """
    if not luhn_valid(target.pan.clear()) or target.pan == card:
        return rc.INVALID_CARD_NUMBER
    if not register.institution_for(target.pan):
        return rc.NO_SUCH_ISSUER
    return rc.RESTRICTED_CARD if register.stop_reason(target.pan) else ""


RULES = Rules(target=target_refusal)
