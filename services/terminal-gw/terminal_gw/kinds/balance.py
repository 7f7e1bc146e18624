"""Balance inquiry 余额查询: no amount in the request, field 54 in the answer."""

from __future__ import annotations

from contracts.authorization import AuthorizeReply
from contracts.kinds import Kind
from iso8583 import AVAILABLE, Amount54, Balances54, Value
from terminal_gw.kinds.wire import Wire


def _say(reply: AuthorizeReply, fields: dict[int, Value]) -> None:
    if (told := reply.balance) is not None:
        amount = Amount54.of(told.account_type, AVAILABLE, told.currency, told.available_minor)
        fields[54] = Balances54((amount,)).pack()


WIRE = Wire(Kind.BALANCE, say=_say)
