"""What a bank that books in another currency has given back of each original: a part comes to what is still missing to the whole so far.

Rounded one by one, ten parts of 0.06 at 1.085 would come to 0.70 of the 0.65 that was taken. This is kept for as long as the ledger, also of
originals that are archived: it is little, for such banks alone, and else nobody could say what is left of them.
"""

from __future__ import annotations

import msgspec

from contracts.ledger import Posting
from contracts.money import CNY
from issuer_sim.domain.billing import Billing


class Returned(msgspec.Struct, array_like=True, gc=False):
    """Of one original, what stands."""

    asked_minor: int = 0
    """In the currency in which it was asked for."""
    booked_minor: int = 0
    """In the account's, for those."""
    unsaid_minor: int = 0
    """In the account's, from when the ledger did not say yet what had been asked for."""


class Part(msgspec.Struct, array_like=True, gc=False):
    """One transaction that has given back."""

    original: str
    asked_minor: int


_NOTHING = Returned()


class Returns(msgspec.Struct, array_like=True):
    """Of one institution. `give` and `undo` are its only writers."""

    of: dict[str, Returned] = {}
    """By original."""
    parts: dict[str, Part] = {}
    """By the transaction that gave back: what its reversal makes good again."""

    def share(self, original: str, asked_minor: int, taken_minor: int, billing: Billing) -> int:
        """What is to be booked for a part: all parts together what their sum is billed at, to the minor unit, and never more than was taken."""
        so_far = self.of.get(original, _NOTHING)
        due_minor = billing.billed(so_far.asked_minor + asked_minor) - so_far.booked_minor
        left_minor = taken_minor - so_far.booked_minor - so_far.unsaid_minor
        return max(0, min(due_minor, left_minor))

    def give(self, record: Posting) -> None:
        """A posting that is about an original; nothing, where it gives nothing back, or its bank books in the currency in which is asked."""
        old = record.amount_minor < 0 and record.currency != CNY
        if not (record.asked_minor or old):
            return
        self.parts[record.id] = Part(record.original, record.asked_minor)
        self._move(record.original, record.asked_minor, -record.amount_minor, said=record.asked_minor > 0)

    def undo(self, id_: str, booked_minor: int) -> None:
        """The transaction is undone: what it had given back is not given back any more. Nothing, where it had not."""
        part = self.parts.pop(id_, None)
        if part is not None:
            self._move(part.original, -part.asked_minor, -booked_minor, said=part.asked_minor > 0)

    def _move(self, original: str, asked_minor: int, booked_minor: int, *, said: bool) -> None:
        kept = self.of.setdefault(original, Returned())
        if said:
            kept.asked_minor += asked_minor
            kept.booked_minor += booked_minor
        else:
            kept.unsaid_minor += booked_minor
        if kept == _NOTHING:
            del self.of[original]
