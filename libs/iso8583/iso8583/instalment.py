"""Field 62 of an instalment sale, in ASCII (terminal-protocol, Which fields).

request   periods 2, goods 30, `1`, fee mode 1, spaces to 62
answer    first payment 12, currency 3, fee 12, points 12, fee mode 1, first fee 12, fee per period 12, spaces to 77
"""

from __future__ import annotations

import re
from typing import NamedTuple

from iso8583.errors import FormatError

_PLAN = re.compile(r"([0-9]{2})([ -~]{30})1([01]) {28}")
_TERMS = re.compile(r"([0-9]{12})([0-9A-Z]{3})([0-9]{12})([0-9]{12})([01])([0-9]{12})([0-9]{12}) {13}")


class Plan62(NamedTuple):
    """What the terminal asks for."""

    periods: int
    """n2."""
    goods: str = ""
    """At most 30 characters of printable ASCII, none of them a space behind the last word."""
    fee_mode: str = "0"
    """0: spread over the periods; 1: paid with the first one."""

    @classmethod
    def parse(cls, data: bytes) -> Plan62:
        """From 62 bytes; FormatError otherwise."""
        found = _PLAN.fullmatch(_text(data))
        if found is None:
            raise FormatError("62", "is not periods, goods, 1, fee mode and spaces, in 62 characters")
        return cls(int(found[1]), found[2].rstrip(" "), found[3])

    def pack(self) -> bytes:
        """62 bytes, or FormatError when something does not fit."""
        return _packed(f"{self.periods:02d}{self.goods:<30}1{self.fee_mode}".ljust(62), _PLAN)


class Terms62(NamedTuple):
    """What the bank makes of it; amounts in minor units."""

    first_minor: int
    currency: str
    fee_minor: int
    points: int = 0
    fee_mode: str = "0"
    first_fee_minor: int = 0
    period_fee_minor: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Terms62:
        """From 77 bytes; FormatError otherwise."""
        found = _TERMS.fullmatch(_text(data))
        if found is None:
            raise FormatError("62", "is not the terms of an instalment, in 77 characters")
        first, currency, fee, points, mode, first_fee, period_fee = found.groups()
        return cls(int(first), currency, int(fee), int(points), mode, int(first_fee), int(period_fee))

    def pack(self) -> bytes:
        """77 bytes, or FormatError when something does not fit."""
        text = (
            f"{self.first_minor:012d}{self.currency}{self.fee_minor:012d}{self.points:012d}"
            f"{self.fee_mode}{self.first_fee_minor:012d}{self.period_fee_minor:012d}"
        )
        return _packed(text.ljust(77), _TERMS)


def _text(data: bytes) -> str:
    return data.decode("latin-1")  # every byte is a character, and the pattern knows which ones it takes


def _packed(text: str, form: re.Pattern[str]) -> bytes:
    if form.fullmatch(text) is None:
        raise FormatError("62", "a value does not fit its place")
    return text.encode("ascii")
