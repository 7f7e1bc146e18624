"""The banks' side: what each transaction took from a cardholder, gave, set aside, and what of that is undone."""

from __future__ import annotations

import msgspec

from contracts.ledger import (
    Archived,
    CardReported,
    HoldExpired,
    LedgerEpochStarted,
    LedgerRecord,
    Posting,
    Refusal,
    ReportTold,
    ReversalPosting,
    ScriptResults,
)
from lianji.rates import billed


class Charge(msgspec.Struct, kw_only=True):
    """One transaction at one bank; of a transfer one half of it."""

    net_minor: int = 0
    posted: Posting | None = None
    refused: bool = False
    reversed: bool = False
    held_minor: int = 0
    """What it sets aside."""

    @property
    def stands(self) -> bool:
        return self.posted is not None and not self.reversed

    @property
    def moves(self) -> bool:
        """It stands, and an account is not as if it had never been."""
        posted = self.posted
        return (
            posted is not None and not self.reversed and any((posted.amount_minor, posted.held_minor, posted.releases))
        )


NONE = Charge()


class Charges:
    """One bank's ledger. `take` refuses what the bank itself would not have written a second time."""

    def __init__(self, institution: str) -> None:
        self.institution = institution
        self.of: dict[str, Charge] = {}
        self.given: dict[str, Charge] = {}
        """Second halves of transfers."""
        self.told: set[str] = set()
        """Whose chips have told what they made of the bank's orders."""

    def take(self, record: LedgerRecord) -> bool:
        """Moves by `record`; False when it is there already, or cannot stand here."""
        match record:
            case LedgerEpochStarted() | Archived() | CardReported() | ReportTold():
                return True
            case HoldExpired():
                return self._end(record.id, record.held_minor)
            case Posting():
                return self._post(record)
            case Refusal():
                return self._refuse(record)
            case ReversalPosting():
                return self._undo(record)
            case ScriptResults():
                return self._tell(record.id)

    def undoing(self, id_: str, *, reason: str, currency: str, at_ms: int) -> list[ReversalPosting]:
        """What a reversal that this bank has lost would book: of each half that stands, and of nothing a tombstone."""
        halves = [incoming for incoming in (False, True) if self._half(incoming=incoming).get(id_, NONE).stands]
        records = []
        for incoming in halves or (False,):
            charge = self._half(incoming=incoming).get(id_, NONE)
            posted = charge.posted
            records.append(
                ReversalPosting(
                    id=id_,
                    account=posted.account if posted else "",
                    amount_minor=charge.net_minor,
                    currency=posted.currency if posted else currency,
                    reason=reason,
                    incoming=incoming,
                    held_minor=charge.held_minor,
                    restores=posted.releases if posted else "",
                    restored_minor=posted.released_minor if posted else 0,
                    at_ms=at_ms,
                )
            )
        return records

    def share(self, original: str, asked_minor: int, rate_millionths: int | None) -> int:
        """What a part that is given back in another currency adds to those before, and no more than is left of the original; of nothing, nothing."""
        if not asked_minor:
            return 0
        parts = [
            c.posted for c in self.of.values() if c.stands and c.posted is not None and c.posted.original == original
        ]
        given = [part for part in parts if part.asked_minor or part.amount_minor < 0]
        so_far = sum(part.asked_minor for part in given)
        booked_minor = -sum(part.amount_minor for part in given if part.asked_minor)
        unsaid_minor = -sum(part.amount_minor for part in given if not part.asked_minor)
        left_minor = self.of.get(original, NONE).net_minor - booked_minor - unsaid_minor
        return max(0, min(billed(so_far + asked_minor, rate_millionths) - booked_minor, left_minor))

    def _refuse(self, record: Refusal) -> bool:
        half = self._half(incoming=record.incoming)
        if record.id in half:
            return False
        half[record.id] = Charge(refused=True)
        return True

    def _tell(self, id_: str) -> bool:
        if id_ not in self.of or id_ in self.told:
            return False
        self.told.add(id_)
        return True

    def _half(self, *, incoming: bool) -> dict[str, Charge]:
        return self.given if incoming else self.of

    def _post(self, record: Posting) -> bool:
        half = self._half(incoming=record.incoming)
        if record.id in half or (record.releases and not self._end(record.releases, record.released_minor)):
            return False
        half[record.id] = Charge(net_minor=record.amount_minor, posted=record, held_minor=record.held_minor)
        return True

    def _undo(self, record: ReversalPosting) -> bool:
        half = self._half(incoming=record.incoming)
        charge = half.get(record.id, NONE)
        same = (record.amount_minor, record.held_minor) == (charge.net_minor, charge.held_minor)
        if charge.reversed or not same:
            return False
        known = half.setdefault(record.id, Charge())
        known.reversed, known.net_minor, known.held_minor = True, 0, 0
        hold = self.of.get(record.restores)
        if hold is not None:
            hold.held_minor = record.restored_minor
        return True

    def _end(self, id_: str, minor: int) -> bool:
        """A hold ends, if it stands so."""
        hold = self.of.get(id_, NONE)
        if not minor or hold.held_minor != minor:
            return False
        hold.held_minor = 0
        return True
