"""Instalment sale 分期消费: field 62 asks for a plan, and that of the answer holds the bank's terms."""

from __future__ import annotations

from contracts.authorization import AuthorizeReply
from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from iso8583 import Field60, FormatError, Message, Plan62, Terms62, Value
from terminal_gw.kinds.wire import Particulars, Wire

_FEWEST_DIGITS_OF_A_CARD = 12


def _read(message: Message, sixty: Field60) -> Particulars:
    plan = Plan62.parse(message.data(62))
    # The goods are journalled as they are. What a cashier keys there must not be the customer's card, however it is spaced.
    if sum(character.isdigit() for character in plan.goods) >= _FEWEST_DIGITS_OF_A_CARD:
        raise FormatError("62", "its goods have as many digits as a card number")
    return Particulars(instalment=InstalmentPlan(periods=plan.periods, goods=plan.goods, fee_mode=plan.fee_mode))


def _say(reply: AuthorizeReply, fields: dict[int, Value]) -> None:
    if (terms := reply.instalment) is not None:
        fields[62] = Terms62(
            first_minor=terms.first_minor,
            currency=terms.currency,
            fee_minor=terms.fee_minor,
            points=terms.points,
            fee_mode=terms.fee_mode,
            first_fee_minor=terms.first_fee_minor,
            period_fee_minor=terms.period_fee_minor,
        ).pack()


WIRE = Wire(Kind.INSTALMENT, read=_read, say=_say)
