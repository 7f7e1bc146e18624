"""The cards of one bank, in memory, found by PAN. What leaves this module names the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

import world
from contracts.pan import Pan
from issuer_sim.domain.accounts import Account


class CardOnFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank knows of a card that it issued."""

    account: str
    expiry: str
    """YYMM."""
    pvv: str
    debit: bool

    def __repr__(self) -> str:  # the PVV gives the PIN away to whoever can try ten thousand of them
        return f"CardOnFile({self.account})"


def card_file(cards: Iterable[world.Card], pvv: Callable[[world.Card], str]) -> dict[Pan, CardOnFile]:
    """The look-up by PAN. `Pan` shows masked wherever it is printed."""
    return {
        card.pan: CardOnFile(account=card.account, expiry=card.expiry, pvv=pvv(card), debit=card.kind == "debit")
        for card in cards
    }


def openings(cards: Iterable[world.Card]) -> list[Account]:
    """The accounts behind the cards, as they were opened. The status of an account is its card's."""
    return [
        Account(
            number=card.account,
            opening_minor=card.opening_minor,
            credit_limit_minor=card.credit_limit_minor,
            status=card.status,
        )
        for card in cards
    ]
