"""预授权完成(请求): takes what a pre-authorization holds, or a little more (a tip, a longer stay), and the bank may refuse that."""

from __future__ import annotations

from auth.domain.claims import Claiming
from auth.domain.kinds.rules import Rules
from auth.domain.register import MerchantEntry
from auth.domain.transaction import Transaction
from contracts import response_codes as rc
from contracts.kinds import CLAIMS, Kind, most_of

CLAIM = CLAIMS[Kind.COMPLETION]


def most_minor(merchant: MerchantEntry, original: Transaction) -> int:
    """As much as the merchant may complete of it."""
    return most_of(original.amount_minor, min(merchant.completion_percent, CLAIM.most_percent))


RULES = Rules(claiming=Claiming(CLAIM, most_minor, rc.OVER_AMOUNT_LIMIT))
