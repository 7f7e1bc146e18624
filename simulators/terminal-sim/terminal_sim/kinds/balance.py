"""Balance inquiry: field 54 of the answer, groups of 20 characters: account type 2, amount type 2, currency 3, sign 1, amount 12."""

from __future__ import annotations

import re

from contracts.terms import Balance
from iso8583 import FormatError, Message
from terminal_sim.kinds.form import Extras

AVAILABLE = "02"
"""Amount type: what may be spent (ISO 8583:1987, field 54)."""
_GROUP = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{3})([CD])([0-9]{12})", re.ASCII)
_GROUP_SIZE = 20


def read(answer: Message, asked_minor: int) -> Extras:
    """The available balance; FormatError when there is none.

    >>> read(Message("0210", {54: "1002156D000000000005"}), 0).balance
    Balance(available_minor=-5, currency='156', account_type='10')
    """
    text = answer.text(54)
    groups = [_GROUP.fullmatch(text[at : at + _GROUP_SIZE]) for at in range(0, len(text), _GROUP_SIZE)]
    for group in groups:
        if group is None:
            raise FormatError("54", "is not made of groups of 20: account type, amount type, currency, sign, amount")
        if group[2] == AVAILABLE:
            minor = int(group[5])
            available = -minor if group[4] == "D" else minor
            return Extras(balance=Balance(available_minor=available, currency=group[3], account_type=group[1]))
    raise FormatError("54", "does not say what may be spent")
