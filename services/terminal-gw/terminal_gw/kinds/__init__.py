"""The kinds of transaction at the gateway, a file each: what is read of a request beyond the base, and what its answer adds.

How a kind is told stands in contracts.kinds, which fields it must have in iso8583.profile.
"""

from __future__ import annotations

from contracts.kinds import KINDS
from iso8583 import Field60, Message
from terminal_gw.kinds import (
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
from terminal_gw.kinds.wire import Wire

WIRES = {
    module.WIRE.kind: module.WIRE
    for module in (
        sale,
        void,
        refund,
        pre_auth,
        pre_auth_void,
        completion,
        completion_advice,
        completion_void,
        instalment,
        instalment_void,
        balance,
        card_check,
        transfer,
        offline_sale,
    )
}
_TOLD = {
    (facts.mti, facts.processing_code, facts.condition_code, facts.message_type): WIRES[kind]
    for kind, facts in KINDS.items()
}
_REVERSIBLE = {told[1:]: wire for told, wire in _TOLD.items() if KINDS[wire.kind].reversible}


def asked_for(message: Message, sixty: Field60) -> Wire | None:
    """The kind that a request is of, by its type and fields 3, 25 and 60.1; None when there is none."""
    return _TOLD.get((message.mti, message.text(3), message.text(25), sixty.message_type))


def reversed_by(message: Message, sixty: Field60) -> Wire | None:
    """The kind of the original that a reversal undoes: it repeats its 3, 25 and 60.1. None when that cannot be reversed."""
    return _REVERSIBLE.get((message.text(3), message.text(25), sixty.message_type))
