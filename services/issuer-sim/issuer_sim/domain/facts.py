"""What a bank knows about a request when it decides: the request without its card data, and what was found out about the card data."""

from __future__ import annotations

from enum import Enum

import msgspec

from contracts.kinds import Kind
from contracts.terms import InstalmentPlan
from issuer_sim.domain.terms import PLAIN_BANK, BankTerms, CardTerms


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One authorization as it was asked for."""

    transaction: str
    account: str
    """Empty when the card is not one of the institution's."""
    amount_minor: int
    """In the account's currency: where a bank bills in another, what the amount comes to there."""
    currency: str
    """ISO 4217 numeric, of `amount_minor`."""
    billed_minor: int = 0
    """Where a bank bills in another currency: the amount in the one that it was asked in."""
    card: CardTerms
    at_ms: int
    bank: BankTerms = PLAIN_BANK
    kind: Kind = Kind.SALE
    entry_mode: str = ""
    """Field 22."""
    original: str = ""
    """The id of the transaction that this one is about."""
    incoming: bool = False
    """The second half of a transfer."""
    instalment: InstalmentPlan | None = None
    takes_part: bool = False
    """The terminal can take an approval of less."""
    chip_reader: bool = False
    """The terminal reads chips."""
    stood_in: bool = False
    """The acquirer has approved it already: it is booked."""
    authorization_code: str = ""
    """The acquirer's, if it has given one."""
    trace: str = ""
    kept_from: str = ""
    """What the terminal did in batches before this one is final; empty: nothing is promised."""


class Pin(Enum):
    """What came of the PIN block."""

    ABSENT = "absent"
    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"
    """Under the zone key it opens to no PIN of ISO 9564 format 0: damaged or under another key, so it is no try at the PIN."""


class Chip(Enum):
    """What came of the chip's cryptogram."""

    ABSENT = "absent"
    RIGHT = "right"
    WRONG = "wrong"
    """Not this card's, or not over this amount and currency, or it cannot be read."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the security module and the card file say about the card data."""

    expired: bool = False
    card_ok: bool = True
    """False: the CVV is wrong, the track is another card's, or a swipe came without a track."""
    pin: Pin = Pin.ABSENT
    chip: Chip = Chip.ABSENT
    counter: int = 0
    """The chip's transaction counter, where its cryptogram is right, or as the acquirer says it with an advice."""


NO_EVIDENCE = Evidence()
"""For a request that is decided without looking at its card data: a repetition, an unknown card, or a card that a transfer goes to."""


def is_expired(*, on_file: str, presented: str, today_yymm: str) -> bool:
    """Whether a card is past its last month, or shows another expiry than the bank gave it. All YYMM, of this century.

    A card is good to the end of its month (ISO/IEC 7813). `presented` is empty when the entry mode gave none.

    >>> is_expired(on_file="3012", presented="3012", today_yymm="3012")
    False
    >>> is_expired(on_file="3012", presented="3112", today_yymm="2601")
    True
    """
    return on_file < today_yymm or presented not in ("", on_file)
