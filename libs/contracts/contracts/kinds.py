"""The kinds of transaction that terminals make, with the fields that tell them apart (terminal-protocol, Transactions)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    SALE = "sale"


class KindFacts(NamedTuple):
    """How a kind looks on the wire and on paper."""

    mti: str
    processing_code: str
    """Field 3."""
    condition_code: str
    """Field 25."""
    message_type: str
    """Field 60.1."""
    reversible: bool
    debit: bool
    """True: counts as debit in field 48 (sale, instalment, completion); False: as credit (void, refund)."""
    chinese: str
    english: str


KINDS: dict[Kind, KindFacts] = {
    Kind.SALE: KindFacts("0200", "000000", "00", "22", reversible=True, debit=True, chinese="消费", english="SALE"),
}
