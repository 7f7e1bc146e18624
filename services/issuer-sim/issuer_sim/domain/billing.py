"""A bank whose accounts are of another currency than its cards are used in: what a transaction comes to there, at a fixed rate."""

from __future__ import annotations

import msgspec

_ONE = 1_000_000


class Billing(msgspec.Struct, frozen=True, kw_only=True):
    """From the currency in which is asked to the one in which is booked."""

    currency: str
    """ISO 4217 numeric, in which is asked."""
    account_currency: str
    """ISO 4217 numeric, in which is booked."""
    rate_millionths: int
    """Minor units that are booked for a million that are asked for; above 0."""

    def billed(self, minor: int) -> int:
        """What is booked for `minor`, to the nearest minor unit. The same amount always comes to the same, so that what is given back whole
        is given back to the cent; what is given back in parts is not summed from this (domain.returns).

        >>> Billing(currency="156", account_currency="344", rate_millionths=1_085_000).billed(10_001)
        10851
        """
        return (minor * self.rate_millionths + _ONE // 2) // _ONE

    def spendable(self, available_minor: int) -> int:
        """The most that may be asked for when so much is available on the account.

        >>> billing = Billing(currency="156", account_currency="344", rate_millionths=1_085_000)
        >>> billing.spendable(10_851), billing.billed(10_001), billing.billed(10_002)
        (10001, 10851, 10852)
        """
        return ((available_minor + 1) * _ONE - _ONE // 2 - 1) // self.rate_millionths
