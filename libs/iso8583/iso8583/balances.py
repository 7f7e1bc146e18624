"""Field 54: what an account holds, in groups of 20 characters (terminal-protocol, Field formats)."""

from __future__ import annotations

import re
from typing import NamedTuple

from iso8583.errors import FormatError

AVAILABLE = "02"
"""Amount type of what may be spent (ISO 8583:1987, field 54)."""
_WIDTH, _MOST = 20, 6
_GROUP = re.compile(r"([0-9]{2})([0-9]{2})([0-9A-Z]{3})([CD])([0-9]{12})")


class Amount54(NamedTuple):
    """One group: an amount of an account.

    >>> Amount54.of("10", AVAILABLE, "156", -1234).pack()
    '1002156D000000001234'
    """

    account_type: str
    """n2: 00 unspecified, 10 savings, 20 cheque or debit, 30 credit."""
    amount_type: str
    """n2: 01 ledger balance, 02 available."""
    currency: str
    """an3."""
    sign: str
    """C above zero, D below."""
    amount: str
    """n12, minor units."""

    @classmethod
    def of(cls, account_type: str, amount_type: str, currency: str, minor: int) -> Amount54:
        """Of an amount in minor units, below zero where the account owes it."""
        return cls(account_type, amount_type, currency, "D" if minor < 0 else "C", f"{abs(minor):012d}")

    @property
    def minor(self) -> int:
        return -int(self.amount) if self.sign == "D" else int(self.amount)

    def pack(self) -> str:
        """20 characters, or FormatError."""
        text = "".join(self)
        if _GROUP.fullmatch(text) is None:
            raise FormatError("54", "an amount does not fit its 20 characters")
        return text


class Balances54(NamedTuple):
    """The whole field."""

    amounts: tuple[Amount54, ...]

    @classmethod
    def parse(cls, text: str) -> Balances54:
        """From 20 to 120 characters, or FormatError."""
        groups = [_GROUP.fullmatch(text[at : at + _WIDTH]) for at in range(0, len(text), _WIDTH)]
        if not 0 < len(groups) <= _MOST:
            raise FormatError("54", f"is not 1 to {_MOST} groups of {_WIDTH} characters")
        amounts = tuple(Amount54(*group.groups()) for group in groups if group is not None)
        if len(amounts) != len(groups):
            raise FormatError("54", "a group is not account type, amount type, currency, C or D, and 12 digits")
        return cls(amounts)

    def pack(self) -> str:
        return "".join(amount.pack() for amount in self.amounts)
