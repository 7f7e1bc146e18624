"""分期消费, an instalment sale: takes its amount at once; the terms say how the bank will bill it (field 62 of the answer)."""

from __future__ import annotations

import msgspec

from contracts import response_codes as rc
from contracts.authorization import IssuerReply
from contracts.terms import InstalmentPlan, InstalmentTerms
from issuer_sim.domain import rules
from issuer_sim.domain.kinds.funds import take
from issuer_sim.domain.kinds.rule import Booking, Case, Rule

SPREAD, AT_ONCE = "0", "1"
"""Fee modes: over the periods, or with the first one."""


def _book(case: Case) -> Booking | str:
    asked, plan = case.asked, case.asked.instalment
    if plan is None or plan.fee_mode not in (SPREAD, AT_ONCE):
        return rc.FORMAT_ERROR
    if asked.card.debit or plan.periods not in asked.bank.instalment_periods:
        return rc.NOT_PERMITTED_TO_CARDHOLDER
    taken = take(case)
    if isinstance(taken, str):
        return taken
    return taken._replace(
        instalment=terms(asked.amount_minor, asked.currency, plan, asked.bank.instalment_fee_permille)
    )


def terms(amount_minor: int, currency: str, plan: InstalmentPlan, fee_permille: int) -> InstalmentTerms:
    """What a bank makes of a plan: all payments together are the amount, all fees together the fee, and what cannot be divided comes first.

    >>> made = terms(1_000_01, "156", InstalmentPlan(periods=3), 6)
    >>> made.first_minor, made.fee_minor, made.first_fee_minor, made.period_fee_minor
    (33335, 1800, 600, 600)
    """
    fee_minor = amount_minor * fee_permille * plan.periods // 1000
    each_minor = 0 if plan.fee_mode == AT_ONCE else fee_minor // plan.periods
    return InstalmentTerms(
        first_minor=amount_minor // plan.periods + amount_minor % plan.periods,
        currency=currency,
        fee_minor=fee_minor,
        fee_mode=plan.fee_mode,
        first_fee_minor=fee_minor - each_minor * (plan.periods - 1),
        period_fee_minor=each_minor,
        periods=plan.periods,
    )


def _tell(reply: IssuerReply, case: Case) -> IssuerReply:
    asked, plan = case.asked, case.asked.instalment
    if plan is None or not plan.periods:
        return reply
    made = terms(asked.amount_minor, asked.currency, plan, asked.bank.instalment_fee_permille)
    return msgspec.structs.replace(reply, instalment=made)


RULE = Rule(rules.TAKING, _book, _tell)
