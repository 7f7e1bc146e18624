"""What a card factory writes into the chips of the test world: application, sequence number, keys."""

from __future__ import annotations

from typing import NamedTuple

from security_module import CryptogramVersion
from security_module.cryptogram import card_key
from security_module.des import DesKey
from world.ca_keys import RID
from world.keys import chip_master_key, script_master_key
from world.model import DEBIT, Card

SEQUENCE = "01"
"""Of every chip: no card has been replaced yet."""
_DEBIT, _CREDIT = bytes.fromhex("0101"), bytes.fromhex("0102")
"""The applications of our own scheme, whose parameters terminals download."""


class ChipKeys(NamedTuple):
    """A chip's own keys."""

    cryptogram: DesKey
    script: DesKey

    def __repr__(self) -> str:
        return "ChipKeys(****)"


def application(card: Card) -> bytes:
    """The application identifier (AID) of a card's chip: debit or credit."""
    return RID + (_DEBIT if card.kind == DEBIT else _CREDIT)


def chip_keys(card: Card, version: CryptogramVersion) -> ChipKeys:
    """The keys of a card's chip, derived from its bank's."""
    pan = card.pan.clear()
    masters = (chip_master_key(card.issuer), script_master_key(card.issuer))
    return ChipKeys(*(card_key(DesKey(master), pan, SEQUENCE, version) for master in masters))
