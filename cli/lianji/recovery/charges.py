"""The banks' side: what each transaction took from a cardholder and gave back."""

from __future__ import annotations

import msgspec

from contracts.ledger import Archived, LedgerEpochStarted, LedgerRecord, Posting, Refusal, ReversalPosting


class Charge(msgspec.Struct, kw_only=True):
    """One transaction at one bank."""

    net_minor: int = 0
    posted: Posting | None = None
    refused: bool = False
    reversed: bool = False


NONE = Charge()


class Charges:
    """One bank's ledger. `take` refuses what the bank itself would not have written a second time."""

    def __init__(self, institution: str) -> None:
        self.institution = institution
        self.of: dict[str, Charge] = {}

    def take(self, record: LedgerRecord) -> bool:
        """Moves by `record`; False when it is there already, or cannot stand here."""
        if isinstance(record, LedgerEpochStarted | Archived):
            return True
        charge = self.of.get(record.id, NONE)
        match record:
            case Posting():
                if charge is not NONE:
                    return False
                self.of[record.id] = Charge(net_minor=record.amount_minor, posted=record)
            case Refusal():
                if charge is not NONE:
                    return False
                self.of[record.id] = Charge(refused=True)
            case ReversalPosting():
                if charge.reversed or record.amount_minor != charge.net_minor:
                    return False
                known = self.of.setdefault(record.id, Charge())
                known.reversed, known.net_minor = True, 0
        return True
