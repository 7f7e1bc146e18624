"""What is looked at before a bank looks at its money, one function a rule, and which rules hold for what.

Each says the response code that refuses, or nothing. A tuple of them is in the order in which they win.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts import response_codes as rc
from contracts.kinds import Kind
from contracts.money import MAX_AMOUNT_MINOR
from issuer_sim.domain.accounts import ACTIVE, Account
from issuer_sim.domain.facts import Asked, Chip, Evidence, Pin
from issuer_sim.domain.terms import day_of

MAX_WRONG_PINS = 3
SWIPED, INSERTED, CONTACTLESS = "02", "05", "07"
"""Field 22, first two digits."""
STATUS_CODES = {
    "lost": rc.LOST_CARD,
    "stolen": rc.STOLEN_CARD,
    "frozen": rc.RESTRICTED_CARD,
    "inactive": rc.CARD_NOT_INITIALISED,
    "expired": rc.EXPIRED_CARD,
    "capture": rc.CAPTURE_CARD,
}

Check = Callable[[Account, Asked, Evidence], str]


def status(account: Account, asked: Asked, evidence: Evidence) -> str:
    if account.status == ACTIVE:
        return ""
    return STATUS_CODES.get(account.status, rc.RESTRICTED_CARD)  # a status that is not known restricts


def expiry(account: Account, asked: Asked, evidence: Evidence) -> str:
    return rc.EXPIRED_CARD if evidence.expired else ""


def permitted(account: Account, asked: Asked, evidence: Evidence) -> str:
    return rc.NOT_PERMITTED_TO_CARDHOLDER if asked.kind in asked.card.not_permitted else ""


def chip(account: Account, asked: Asked, evidence: Evidence) -> str:
    """By what the bank knows of the card: a stripe may have been written with another service code."""
    around = asked.card.chip_only or (asked.card.chip and asked.chip_reader)
    return rc.USE_CHIP if around and asked.entry_mode.startswith(SWIPED) else ""


def cryptogram(account: Account, asked: Asked, evidence: Evidence) -> str:
    """Where a chip was read for something new, it proves itself."""
    if evidence.chip is Chip.ABSENT and asked.entry_mode.startswith((INSERTED, CONTACTLESS)):
        return rc.AUTHENTICATION_FAILED
    return cryptogram_if_there(account, asked, evidence)


def cryptogram_if_there(account: Account, asked: Asked, evidence: Evidence) -> str:
    return rc.AUTHENTICATION_FAILED if evidence.chip is Chip.WRONG else ""


def counter(account: Account, asked: Asked, evidence: Evidence) -> str:
    """A chip counts up: what is not above all that has been seen is a copy, or a request that is played again."""
    return rc.CARD_CHECK_FAILED if evidence.counter and evidence.counter <= account.counter else ""


def counter_unused(account: Account, asked: Asked, evidence: Evidence) -> str:
    """What was approved off line comes later than what was asked after it, but only once."""
    return rc.CARD_CHECK_FAILED if evidence.counter and account.has_used(evidence.counter) else ""


def card_check(account: Account, asked: Asked, evidence: Evidence) -> str:
    return "" if evidence.card_ok else rc.CARD_CHECK_FAILED


def pin_tries(account: Account, asked: Asked, evidence: Evidence) -> str:
    # Even for the right PIN, or none: otherwise the block could be felt for, one guess at a time.
    if account.wrong_pins < MAX_WRONG_PINS:
        return ""
    return rc.PIN_TRIES_EXCEEDED_CAPTURE if asked.card.captured else rc.PIN_TRIES_EXCEEDED


def pin(account: Account, asked: Asked, evidence: Evidence) -> str:
    """Whoever has a debit card keys it, but for a small sale by a contactless chip."""
    if evidence.pin is Pin.ABSENT and asked.card.debit and not _small_and_contactless(asked, evidence):
        return rc.WRONG_PIN  # not counted: nobody guessed
    return pin_if_keyed(account, asked, evidence)


def _small_and_contactless(asked: Asked, evidence: Evidence) -> bool:
    return (
        asked.kind is Kind.SALE
        and evidence.chip is Chip.RIGHT
        and asked.entry_mode.startswith(CONTACTLESS)
        and asked.amount_minor <= asked.bank.contactless_minor
    )


def pin_if_keyed(account: Account, asked: Asked, evidence: Evidence) -> str:
    match evidence.pin:
        case Pin.UNREADABLE:
            return rc.PIN_FORMAT_ERROR
        case Pin.WRONG:
            return rc.WRONG_PIN
        case _:
            return ""


def amount(account: Account, asked: Asked, evidence: Evidence) -> str:
    fits = 0 < asked.amount_minor <= MAX_AMOUNT_MINOR and asked.currency == account.currency
    return "" if fits else rc.INVALID_AMOUNT


def currency(account: Account, asked: Asked, evidence: Evidence) -> str:
    """Of a question, which has no amount."""
    return "" if asked.currency == account.currency else rc.INVALID_AMOUNT


def limits(account: Account, asked: Asked, evidence: Evidence) -> str:
    card = asked.card
    if card.most_minor and asked.amount_minor > card.most_minor:
        return rc.OVER_AMOUNT_LIMIT
    if not card.day_minor and not card.day_count:
        return ""
    today = account.day == day_of(asked.at_ms)
    if card.day_minor and asked.amount_minor + (account.day_minor if today else 0) > card.day_minor:
        return rc.OVER_AMOUNT_LIMIT
    return rc.OVER_COUNT_LIMIT if card.day_count and today and account.day_count >= card.day_count else ""


_CHIP: tuple[Check, ...] = (chip, cryptogram, counter)
TAKING: tuple[Check, ...] = (status, expiry, permitted, *_CHIP, card_check, pin_tries, pin, amount, limits)
"""Of what takes, holds or moves anew."""
CLAIMING: tuple[Check, ...] = (
    *(status, expiry, permitted, chip, cryptogram_if_there, counter),
    *(card_check, pin_tries, pin_if_keyed, amount),
)
"""Of what is about an earlier transaction, whose PIN was keyed and whose amount was counted then."""
ASKING: tuple[Check, ...] = (status, expiry, permitted, *_CHIP, card_check, pin_tries, pin, currency)
"""Of questions."""
NOTICE: tuple[Check, ...] = (permitted, cryptogram_if_there, counter_unused, card_check, pin_if_keyed, amount)
"""Of what has happened already: the card may have been reported or have run out since."""
STOOD_IN: tuple[Check, ...] = (counter_unused, amount)
"""Of what the acquirer has approved in the bank's stead, without anything that the rest could be checked by."""
INCOMING: tuple[Check, ...] = (status, amount)
"""Of what comes to a card that nobody here has in hand."""
