"""Balance inquiry: field 54 of the answer says what may be spent."""

from __future__ import annotations

from contracts.terms import Balance
from iso8583 import AVAILABLE, Balances54, FormatError, Message
from terminal_sim.kinds.form import Extras


def read(answer: Message, asked_minor: int) -> Extras:
    """The available balance; FormatError when there is none.

    >>> read(Message("0210", {54: "1002156D000000000005"}), 0).balance
    Balance(available_minor=-5, currency='156', account_type='10')
    """
    for amount in Balances54.parse(answer.text(54)).amounts:
        if amount.amount_type == AVAILABLE:
            return Extras(
                balance=Balance(
                    available_minor=amount.minor, currency=amount.currency, account_type=amount.account_type
                )
            )
    raise FormatError("54", "does not say what may be spent")
