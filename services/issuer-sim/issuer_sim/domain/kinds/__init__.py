"""What the bank books of each kind: one file a kind, and the table of them.

rule        what such a file says
originals   the earlier transaction that some are about
funds       what is there to be spent
"""

from __future__ import annotations

from contracts.kinds import Kind
from issuer_sim.domain.kinds import (
    balance,
    card_check,
    completion,
    completion_advice,
    completion_void,
    instalment,
    instalment_void,
    offline_sale,
    pre_auth,
    pre_auth_void,
    refund,
    sale,
    transfer,
    void,
)
from issuer_sim.domain.kinds.rule import Rule

RULES: dict[Kind, Rule] = {
    Kind.SALE: sale.RULE,
    Kind.VOID: void.RULE,
    Kind.REFUND: refund.RULE,
    Kind.PRE_AUTH: pre_auth.RULE,
    Kind.PRE_AUTH_VOID: pre_auth_void.RULE,
    Kind.COMPLETION: completion.RULE,
    Kind.COMPLETION_ADVICE: completion_advice.RULE,
    Kind.COMPLETION_VOID: completion_void.RULE,
    Kind.INSTALMENT: instalment.RULE,
    Kind.INSTALMENT_VOID: instalment_void.RULE,
    Kind.BALANCE: balance.RULE,
    Kind.CARD_CHECK: card_check.RULE,
    Kind.TRANSFER: transfer.RULE,
    Kind.OFFLINE_SALE: offline_sale.RULE,
}

INCOMING: dict[Kind, Rule] = {Kind.TRANSFER: transfer.INCOMING}
"""Of second halves."""

STOOD_IN: dict[Kind, Rule] = {
    Kind.SALE: sale.STOOD_IN,
    Kind.COMPLETION_ADVICE: completion_advice.STOOD_IN,
    Kind.OFFLINE_SALE: offline_sale.STOOD_IN,
}
"""Of what the acquirer has approved in the bank's stead."""


def rule_of(kind: Kind, *, incoming: bool) -> Rule | None:
    """None: the kind has no second half."""
    return (INCOMING if incoming else RULES).get(kind)
