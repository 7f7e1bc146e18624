"""Which account an entry debits and which it credits: a table by what its transaction does to money (contracts.kinds.Effect).

What takes is mirrored by what returns, and a capture by what undoes it. A hold, its release and a look are no entry at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts.kinds import KINDS, Effect
from settlement.domain.ledger import EntryKind, Transaction, issuer_receivable, merchant_captured, merchant_payable


class Sides(NamedTuple):
    """The accounts of one entry, by name."""

    debit: str
    credit: str

    @property
    def mirrored(self) -> Sides:
        return Sides(self.credit, self.debit)


def _issuer(t: Transaction) -> str:
    return issuer_receivable(t.institution)


_CARD_TO_MERCHANT: dict[EntryKind, Callable[[Transaction], Sides]] = {
    EntryKind.CAPTURE: lambda t: Sides(_issuer(t), merchant_captured(t.merchant)),
    EntryKind.REVERSAL: lambda t: Sides(merchant_captured(t.merchant), _issuer(t)),
    EntryKind.SETTLEMENT: lambda t: Sides(merchant_captured(t.merchant), merchant_payable(t.merchant)),
    EntryKind.COMPENSATION: lambda t: Sides(merchant_payable(t.merchant), _issuer(t)),
}


def _moved(t: Transaction) -> Sides | None:
    """From bank to bank: the payer's owes what the receiver's is owed. Within one bank nobody owes anybody anything."""
    return None if t.institution == t.target_institution else Sides(_issuer(t), issuer_receivable(t.target_institution))


def sides(kind: EntryKind, transaction: Transaction) -> Sides | None:
    """The accounts of an entry of `kind`; None when such a transaction has no such entry."""
    effect = KINDS[transaction.kind].effect
    if effect is Effect.TAKES:
        return _CARD_TO_MERCHANT[kind](transaction)
    if effect is Effect.RETURNS:
        return _CARD_TO_MERCHANT[kind](transaction).mirrored
    if effect is Effect.MOVES and kind in (EntryKind.CAPTURE, EntryKind.REVERSAL):
        between = _moved(transaction)
        return between if between is None or kind is EntryKind.CAPTURE else between.mirrored
    return None
