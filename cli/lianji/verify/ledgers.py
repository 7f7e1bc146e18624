"""The banks' ledgers: what each transaction took from a cardholder, and gave back."""

from __future__ import annotations

import sys

import msgspec

from contracts.ledger import LedgerRecord, Posting, Refusal, ReversalPosting
from lianji.verify.report import Violation


class Charge(msgspec.Struct, gc=False):
    """What one transaction did at its bank."""

    net_minor: int = 0
    postings: int = 0
    reversals: int = 0
    refused: str = ""


class Ledgers:
    """All institutions' ledgers. `violations` are postings that no bank may make."""

    def __init__(self) -> None:
        self.charges: dict[tuple[str, str], Charge] = {}
        """By transaction and institution: a tombstone is told to every institution."""
        self.violations: list[Violation] = []
        self.records = 0

    def read(self, institution: str, record: LedgerRecord) -> None:
        """Takes the next record."""
        self.records += 1
        match record:
            case Posting():
                charge = self._charge(record.id, institution)
                if charge.postings or charge.refused or charge.reversals:
                    self._violate(record.id, institution, "posted after it had been answered or reversed", charge)
                charge.postings += 1
                charge.net_minor += record.amount_minor
            case Refusal():
                charge = self._charge(record.id, institution)
                if charge.postings or charge.refused:
                    self._violate(record.id, institution, "refused after it had been answered", charge)
                charge.refused = record.response_code
            case ReversalPosting():
                charge = self._charge(record.id, institution)
                if charge.reversals:
                    self._violate(record.id, institution, "reversed twice", charge)
                charge.reversals += 1
                charge.net_minor -= record.amount_minor

    def net(self, id_: str, institution: str) -> int:
        """What the cardholder has been charged, in minor units."""
        charge = self.charges.get((id_, institution))
        return charge.net_minor if charge else 0

    def reversed(self, id_: str, institution: str) -> bool:
        """Whether the institution has given back what the transaction took, or will refuse it for ever."""
        charge = self.charges.get((id_, institution))
        return charge is not None and charge.reversals > 0

    def _charge(self, id_: str, institution: str) -> Charge:
        charge = self.charges.get((id_, institution))
        if charge is None:
            charge = self.charges[sys.intern(id_), sys.intern(institution)] = Charge()
        return charge

    def _violate(self, id_: str, institution: str, what: str, charge: Charge) -> None:
        evidence = {"institution": institution, "postings": str(charge.postings), "reversals": str(charge.reversals)}
        self.violations.append(Violation(subject=id_, what=what, evidence=evidence))
