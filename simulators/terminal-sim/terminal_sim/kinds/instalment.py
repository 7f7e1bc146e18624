"""Instalment sale: field 62 of the request says how it is to be paid, that of the answer what the bank makes of it. ASCII, fixed widths.

Request, 62 characters: periods 2, goods 30, `1`, fee mode 1, spaces. Answer: first payment 12, currency 3, fee 12, points 12, fee mode 1,
first fee 12, fee of a period 12, reserved 13.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.pan import Pan
from contracts.terms import InstalmentPlan, InstalmentTerms
from iso8583 import FormatError, Message, Value
from terminal_sim.kinds.form import Extras

_REQUEST_SIZE = 62
_WIDTHS = (12, 3, 12, 12, 1, 12, 12)
_ANSWER_SIZE = sum(_WIDTHS)


def write(plan: InstalmentPlan | None, target: Pan | None) -> Mapping[int, Value]:
    """Field 62 of the request; FormatError when the name of the goods is not ASCII.

    >>> write(InstalmentPlan(periods=6, goods="TEAPOT"), None)[62].rstrip()
    b'06TEAPOT                        10'
    """
    if plan is None:
        return {}
    if not plan.goods.isascii():
        raise FormatError("62", "the goods are not named in ASCII")
    return {62: f"{plan.periods:02d}{plan.goods:<30}1{plan.fee_mode}".ljust(_REQUEST_SIZE).encode()}


def read(answer: Message, asked_minor: int) -> Extras:
    """The bank's terms; FormatError when field 62 cannot be read, or the first payment is more than the whole."""
    try:
        text = answer.data(62).decode("ascii")
    except UnicodeDecodeError:
        raise FormatError("62", "is not ASCII") from None
    if len(text) < _ANSWER_SIZE:
        raise FormatError("62", f"has not the {_ANSWER_SIZE} characters of instalment terms")
    parts, at = [], 0
    for width in _WIDTHS:
        parts.append(text[at : at + width])
        at += width
    if not "".join(parts).isdigit():
        raise FormatError("62", "has instalment terms that are not digits")
    first, currency, fee, points, fee_mode, first_fee, period_fee = parts
    if int(first) > asked_minor:
        raise FormatError("62", "asks for more at once than the whole amount")
    terms = InstalmentTerms(
        first_minor=int(first),
        currency=currency,
        fee_minor=int(fee),
        points=int(points),
        fee_mode=fee_mode,
        first_fee_minor=int(first_fee),
        period_fee_minor=int(period_fee),
    )
    return Extras(terms=terms)
