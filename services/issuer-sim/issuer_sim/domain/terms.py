"""What a bank has laid down for its cards as a whole, and for each of them."""

from __future__ import annotations

import msgspec

from contracts.kinds import Kind
from issuer_sim.domain.billing import Billing

DAY_MS = 24 * 3600 * 1000
_UTC_PLUS_8_MS = 8 * 3600 * 1000


def day_of(at_ms: int) -> int:
    """The day of the banks' calendar (UTC+8, no summer time) as a number, counted from 1970-01-01.

    >>> day_of(1767196800000) - day_of(1767196799999)
    1
    """
    return (at_ms + _UTC_PLUS_8_MS) // DAY_MS


class CardTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Of one card. A limit of 0 is none."""

    debit: bool = False
    """Its holder's word is the PIN: without one nothing new is taken."""
    chip: bool = False
    """Has a chip: a swipe of it where chips are read is refused (45)."""
    chip_only: bool = False
    """A swipe of it is refused anywhere."""
    captured: bool = False
    """Three wrong PINs cost the card (38), not only the use of its PIN (75)."""
    not_permitted: frozenset[Kind] = frozenset()
    """What its holder has not agreed on (57)."""
    most_minor: int = 0
    """In one transaction (61), in the account's currency."""
    day_minor: int = 0
    """In one day of the bank's (61)."""
    day_count: int = 0
    """Transactions in one day of the bank's (65)."""
    response_code: str = ""
    """Scripted: whatever is asked is refused with it."""


class BankTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Of one bank."""

    hold_ms: int = 30 * DAY_MS
    """How long a pre-authorization holds."""
    part: bool = True
    """Whether it approves a part where there is not enough for the whole."""
    instalment_periods: frozenset[int] = frozenset()
    instalment_fee_permille: int = 0
    """For each period, of the amount."""
    contactless_minor: int = 1_000_00
    """Up to which a sale by a contactless chip needs no PIN, in the account's currency."""
    billing: Billing | None = None
    """None: it books in the currency in which is asked."""

    def booked(self, minor: int, currency: str) -> tuple[int, str]:
        """What is booked for an amount that is asked for, and in which currency; of a currency that the bank does not bill, as it is."""
        billing = self.billing
        if billing is None or currency != billing.currency:
            return minor, currency
        return billing.billed(minor), billing.account_currency


PLAIN_BANK = BankTerms()
"""One that offers no instalments."""
