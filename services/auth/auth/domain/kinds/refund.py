"""退货: gives back a sale or a completion, of whichever batch and terminal of the merchant, in parts that never come to more than it."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.rules import Rules
from auth.domain.register import MerchantEntry
from auth.domain.transaction import Transaction
from contracts import response_codes as rc
from contracts.kinds import CLAIMS, Kind


def left_minor(_: MerchantEntry, original: Transaction) -> int:
    """What has not been given back yet."""
    return original.amount_minor - (original.standing.taken_minor if original.standing is not None else 0)


RULES = Rules(limited=False, claiming=Claiming(CLAIMS[Kind.REFUND], left_minor, rc.INVALID_AMOUNT))
