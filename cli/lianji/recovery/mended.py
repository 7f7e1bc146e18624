"""What a restore has found, and what it has made of it."""

from __future__ import annotations

import msgspec

from contracts.journal import Record
from contracts.ledger import LedgerRecord
from lianji.recovery.decisions import Action


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what a restore has found and done."""

    subject: str
    """The transaction's identity, or `terminal:batch` of a close."""
    rrn: str
    amount_minor: int
    action: Action
    why: str


class Mended(msgspec.Struct, kw_only=True):
    """What one shard's sides need."""

    journal: list[Record] = []
    ledgers: dict[str, list[LedgerRecord]] = {}
    found: list[Found] = []
    refused: int = 0
    """Records from behind the damage that cannot follow what is left: their transactions are decided like all others."""
