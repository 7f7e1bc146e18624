"""The cards of one bank, in memory, found by PAN. What leaves this module names the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

import world
from contracts.money import CNY
from contracts.pan import Pan
from issuer_sim.domain.accounts import Account
from issuer_sim.domain.billing import Billing
from issuer_sim.domain.terms import DAY_MS, BankTerms, CardTerms


class CardOnFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank knows of a card that it issued."""

    account: str
    expiry: str
    """YYMM."""
    pvv: str
    terms: CardTerms

    def __repr__(self) -> str:  # the PVV gives the PIN away to whoever can try ten thousand of them
        return f"CardOnFile({self.account})"


def card_file(
    cards: Iterable[world.Card], pvv: Callable[[world.Card], str], *, scripted: bool = True
) -> dict[Pan, CardOnFile]:
    """The look-up by PAN. `Pan` shows masked wherever it is printed. Not `scripted`: cards with a scripted answer are ordinary ones."""
    return {
        card.pan: CardOnFile(
            account=card.account, expiry=card.expiry, pvv=pvv(card), terms=card_terms(card, scripted=scripted)
        )
        for card in cards
    }


def card_terms(card: world.Card, *, scripted: bool) -> CardTerms:
    return CardTerms(
        debit=card.kind == world.DEBIT,
        chip=card.chip,
        chip_only=card.chip_only,
        captured=card.captured,
        not_permitted=frozenset(card.not_permitted),
        most_minor=card.most_minor,
        day_minor=card.day_minor,
        day_count=card.day_count,
        response_code=card.response_code if scripted else "",
    )


def bank_terms(institution: world.Institution) -> BankTerms:
    billing = None
    if institution.currency != CNY:
        billing = Billing(
            currency=CNY, account_currency=institution.currency, rate_millionths=institution.rate_millionths
        )
    limit_minor = institution.contactless_minor
    return BankTerms(
        hold_ms=institution.hold_days * DAY_MS,
        part=institution.part,
        instalment_periods=frozenset(institution.instalment_periods),
        instalment_fee_permille=institution.instalment_fee_permille,
        contactless_minor=limit_minor if billing is None else billing.billed(limit_minor),
        billing=billing,
    )


def openings(cards: Iterable[world.Card], currency: str = CNY) -> list[Account]:
    """The accounts behind the cards, as they were opened, all in the bank's currency. The status of an account is its card's."""
    return [
        Account(
            number=card.account,
            currency=currency,
            opening_minor=card.opening_minor,
            credit_limit_minor=card.credit_limit_minor,
            status=card.status,
        )
        for card in cards
    ]
