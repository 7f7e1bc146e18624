"""Which transaction a void, a refund or a completion is about: fields 61, 37 and 38 (terminal-protocol, Field formats).

Whether there is such a transaction, and whether it may be claimed, the switch knows.
"""

from __future__ import annotations

import re

from contracts.authorization import Original
from iso8583 import Field60, FormatError, Message, Original61
from terminal_gw.kinds.wire import Particulars

_DATE = re.compile(r"(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")


def of_any_batch(message: Message, sixty: Field60) -> Particulars:
    """Also of another terminal of the merchant: batch and STAN may then be this request's own, by chance."""
    told = Original61.parse(message.text(61))
    if _DATE.fullmatch(told.date) is None:
        raise FormatError("61.3", "is not a month and a day")
    # 61.4 and 61.5 name who authorized it elsewhere; here that is the switch's to know.
    return Particulars(
        original=Original(
            batch=told.batch,
            stan=told.stan,
            date=told.date,
            rrn=message.text(37),
            authorization_code=message.text(38),
        )
    )


def of_this_batch(message: Message, sixty: Field60) -> Particulars:
    """Of the terminal's own open batch: there no other transaction has this request's STAN."""
    read = of_any_batch(message, sixty)
    if message.text(61)[:12] == sixty.batch + message.text(11):
        raise FormatError("61", "names this very transaction")
    return read
