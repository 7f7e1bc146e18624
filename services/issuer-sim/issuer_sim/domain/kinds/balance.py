"""余额查询, a balance inquiry: what may be spent, as of now (field 54).

The ledger does not keep what was said: a repetition that reaches the bank gets the balance of then. The switch keeps its own answer.
"""

from __future__ import annotations

import msgspec

from contracts.authorization import IssuerReply
from contracts.money import MAX_AMOUNT_MINOR
from contracts.terms import Balance
from issuer_sim.domain import rules
from issuer_sim.domain.kinds.rule import Booking, Case, Rule

DEBIT, CREDIT = "20", "30"
"""Account types (ISO 8583, field 3)."""


def _tell(reply: IssuerReply, case: Case) -> IssuerReply:
    asked, minor = case.asked, case.available_minor
    billing = asked.bank.billing
    balance = Balance(
        available_minor=_in_field_54(billing.spendable(minor) if billing else minor),
        currency=billing.currency if billing else case.account.currency,
        account_type=DEBIT if asked.card.debit else CREDIT,
    )
    return msgspec.structs.replace(reply, balance=balance)


def _in_field_54(minor: int) -> int:
    """Its amounts are n12: of more than that they say the most."""
    return max(-MAX_AMOUNT_MINOR, min(minor, MAX_AMOUNT_MINOR))


RULE = Rule(rules.ASKING, lambda case: Booking(), _tell, numbered=False)
