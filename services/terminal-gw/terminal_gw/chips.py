"""Field 55 of a request: what goes on to the bank, and what of it is kept.

A chip's cryptogram is over the amount, currency and type that stand in the field. The bank books those of fields 4, 49 and 3, so both must
say the same; whether the cryptogram is right the bank knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from contracts.chip import ChipFacts
from contracts.kinds import CLAIMS, KINDS, Kind
from iso8583 import FormatError, Message, chip, parse_request, tlv
from terminal_gw.domain.card import CHIP, CONTACTLESS

_ALONE = frozenset({Kind.OFFLINE_SALE})
"""Approved by chip and terminal, so that there is a TC; what is asked of a bank has an ARQC."""


class Chip(NamedTuple):
    """What a chip says in a request."""

    data: bytes
    """BER-TLV, for the bank."""
    facts: ChipFacts
    sequence: str
    """Field 23."""


def read(kind: Kind, message: Message) -> Chip | None:
    """None where no chip took part; FormatError names the field or tag that is missing, damaged or contradicts another field.

    What is about an earlier transaction, and what was told afterwards, may come without: the card was read only to say which it is.
    """
    read_by_chip = message.text(22)[:2] in (CHIP, CONTACTLESS)
    if 55 not in message.fields:
        if read_by_chip and kind not in CLAIMS and kind not in _ALONE:
            raise FormatError("55", "is missing where a chip was read")
        return None
    if not read_by_chip:
        raise FormatError("55", "has no place where no chip was read")
    tags = parse_request(message.data(55))
    _agree(kind, message, tags)
    return Chip(tlv.pack(tags), _facts(tags), message.text(23))


def _agree(kind: Kind, message: Message, tags: Mapping[str, bytes]) -> None:
    said = {
        chip.AMOUNT: ("4", message.text(4) or "0" * 12),
        chip.CURRENCY: ("49", message.text(49).zfill(4)),
        chip.TRANSACTION_TYPE: ("3", KINDS[kind].processing_code[:2]),
    }
    for tag, (field, value) in said.items():
        if tags[tag].hex() != value:
            raise FormatError(f"55.{tag}", f"contradicts field {field}")
    wanted, name = (chip.TC, "a TC") if kind in _ALONE else (chip.ARQC, "an ARQC")
    if chip.cryptogram_kind(tags) != wanted:
        raise FormatError(f"55.{chip.INFORMATION}", f"does not say that the cryptogram is {name}")


def _facts(tags: Mapping[str, bytes]) -> ChipFacts:
    def text(tag: str) -> str:
        return tags[tag].hex().upper()

    return ChipFacts(
        application=text(chip.APPLICATION),
        cryptogram=text(chip.CRYPTOGRAM),
        information=text(chip.INFORMATION),
        results=text(chip.RESULTS),
        counter=text(chip.COUNTER),
    )
