"""What a search is for, taken from a world. Made here and not by the security module: evidence should not rest on what it judges."""

from __future__ import annotations

from typing import NamedTuple

from contracts.pan import Pan, luhn_valid
from world import Card, World

PAN_LENGTHS = range(13, 20)
"""Digits of a card number (ISO/IEC 7812-1 allows fewer; no scheme gives out fewer)."""
TRACK_TAIL = 7
"""Expiry and service code: the digits that must follow a track 2's separator (ISO/IEC 7813)."""


class Hit(NamedTuple):
    """One find in some bytes."""

    start: int
    end: int
    kind: str
    """pan | track2 | pin-block | pin | cvv"""
    form: str
    """text | bcd | hex | bytes | base64 | escaped"""
    masked: str
    inside: bool = False
    """A card's number that stands in a longer run of digits."""


class RandomlyFilled(NamedTuple):
    """The clear PIN block of format 3 of one card and PIN: what is known of it. The rest is A to F, combined with the account."""

    start: str
    """Control digit, length and PIN, before they are combined with the account."""
    account: int

    @property
    def head(self) -> bytes:
        """Its first three bytes."""
        return (int(self.start.ljust(16, "0"), 16) ^ self.account).to_bytes(8, "big")[:3]

    def is_it(self, block: bytes) -> bool:
        """Whether 8 bytes are such a block."""
        text = f"{int.from_bytes(block, 'big') ^ self.account:016X}"
        return text.startswith(self.start) and not text[len(self.start) :].strip("ABCDEF")


class Wanted(NamedTuple):
    """Holds clear card numbers: for memory only."""

    prefixes: tuple[str, ...]
    """What the card numbers begin with that are searched for."""
    pans: frozenset[str]
    lengths: tuple[int, ...]
    """Of `pans`, longest first."""
    blocks: frozenset[bytes]
    """Clear PIN blocks of format 0, and the 8 bytes of format 4 that hold the PIN."""
    filled: tuple[RandomlyFilled, ...]
    """Clear PIN blocks of format 3."""

    def known(self, digits: str) -> str:
        """The world's card number that `digits` begins with, or nothing."""
        return next((digits[:n] for n in self.lengths if digits[:n] in self.pans), "")


def wanted(world: World) -> Wanted:
    """Every card and every BIN of the world; every card's clear PIN block with every PIN, for a wrong PIN is one too."""
    bins = {prefix for institution in world.institutions for prefix in institution.bins}
    pans = {card.pan.clear() for card in world.cards}
    alone = {pan[:6] for pan in pans if not pan.startswith(tuple(bins))}
    pins = {card.pin for card in world.cards}
    return Wanted(
        prefixes=tuple(sorted(bins | alone)),
        pans=frozenset(pans),
        lengths=tuple(sorted({len(pan) for pan in pans}, reverse=True)),
        blocks=frozenset(pin_block(pin, card) for card in world.cards for pin in pins) | set(map(pin_field, pins)),
        filled=tuple(RandomlyFilled(f"3{len(pin):X}{pin}", _account(card)) for card in world.cards for pin in pins),
    )


def pin_block(pin: str, card: Card) -> bytes:
    """ISO 9564-1 format 0: 0, length, PIN, F to 16 digits; combined with 0000 and the 12 digits before the check digit."""
    field = f"0{len(pin):X}{pin}".ljust(16, "F")
    return (int(field, 16) ^ _account(card)).to_bytes(8, "big")


def pin_field(pin: str) -> bytes:
    """ISO 9564-1 format 4, what is not random in its first part: 4, length, PIN, A to 16 digits."""
    return bytes.fromhex(f"4{len(pin):X}{pin}".ljust(16, "A"))


def _account(card: Card) -> int:
    return int(card.pan.clear()[-13:-1], 16)


def is_pan(digits: str) -> bool:
    return len(digits) in PAN_LENGTHS and luhn_valid(digits)


def masked_pan(digits: str) -> str:
    return Pan(digits).masked()


def masked_track(digits: str) -> str:
    return f"{masked_pan(digits)}D****"
