"""What the switch checks of each kind of transaction: one file a kind, and the table."""

from __future__ import annotations

from auth.domain.kinds import (
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
from auth.domain.kinds.rules import Rules
from contracts.kinds import Kind

__all__ = ["RULES", "Rules"]

RULES: dict[Kind, Rules] = {
    Kind.SALE: sale.RULES,
    Kind.VOID: void.RULES,
    Kind.REFUND: refund.RULES,
    Kind.PRE_AUTH: pre_auth.RULES,
    Kind.PRE_AUTH_VOID: pre_auth_void.RULES,
    Kind.COMPLETION: completion.RULES,
    Kind.COMPLETION_ADVICE: completion_advice.RULES,
    Kind.COMPLETION_VOID: completion_void.RULES,
    Kind.INSTALMENT: instalment.RULES,
    Kind.INSTALMENT_VOID: instalment_void.RULES,
    Kind.BALANCE: balance.RULES,
    Kind.CARD_CHECK: card_check.RULES,
    Kind.TRANSFER: transfer.RULES,
    Kind.OFFLINE_SALE: offline_sale.RULES,
}
