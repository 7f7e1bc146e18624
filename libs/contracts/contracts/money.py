"""Money: integer minor units with a currency. Nothing in this project holds an amount as a float."""

from __future__ import annotations

import re

import msgspec

CNY = "156"
"""ISO 4217 numeric code of the renminbi, as field 49 carries it."""

EXPONENTS = {CNY: 2}
"""Digits after the decimal point by ISO 4217 numeric code. Only the currencies that a terminal here may use."""

MAX_AMOUNT_MINOR = 999_999_999_999
"""Field 4 is n12."""


class AmountError(ValueError):
    """An amount that cannot be read or does not fit field 4. The message names what is wrong and what to write."""


class Money(msgspec.Struct, frozen=True, order=True):
    """An amount of one currency.

    >>> Money(1234, CNY) + Money(66, CNY)
    Money(minor=1300, currency='156')
    >>> str(Money(-5, CNY))
    '-0.05'
    """

    minor: int
    currency: str = CNY

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def _same_currency(self, other: Money) -> None:
        if other.currency != self.currency:
            raise AmountError(f"currency {other.currency} cannot be added to {self.currency}")

    def __str__(self) -> str:
        exponent = EXPONENTS[self.currency]
        sign, units = ("-" if self.minor < 0 else ""), abs(self.minor)
        if exponent == 0:
            return f"{sign}{units}"
        whole, rest = divmod(units, 10**exponent)
        return f"{sign}{whole}.{rest:0{exponent}d}"


def parse_amount(text: str, currency: str = CNY) -> Money:
    """What an operator keyed, as money; raises AmountError.

    >>> parse_amount("12.3")
    Money(minor=1230, currency='156')
    """
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise AmountError(f"currency: {currency} is not one of {', '.join(EXPONENTS)}")
    match = re.fullmatch(r"(\d{1,12})(?:\.(\d+))?", text, re.ASCII)
    if match is None or len(match.group(2) or "") > exponent:
        raise AmountError(f"amount: {text!r} is not an amount; write it like 12.34")
    minor = int(match.group(1)) * 10**exponent + int((match.group(2) or "").ljust(exponent, "0") or 0)
    if not 0 < minor <= MAX_AMOUNT_MINOR:
        raise AmountError(f"amount: {text} must be more than 0 and at most {Money(MAX_AMOUNT_MINOR, currency)}")
    return Money(minor, currency)
