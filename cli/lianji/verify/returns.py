"""What a bank with another currency must give back for each part of a refund, by a reckoning of our own, in the order of its ledger."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.ledger import Posting, ReversalPosting
from lianji.rates import billed
from lianji.verify.facts import Facts


class GivenBack(msgspec.Struct, gc=False):
    """Of one original at one institution; the key comes first. In the account's currency, but for `asked_minor`."""

    id: str
    institution: str
    asked_minor: int = 0
    booked_minor: int = 0
    unsaid_minor: int = 0
    """Of postings that do not say what was asked for: the ledger is older than that."""


class Returns:
    """All institutions' originals of which something was given back."""

    def __init__(self, facts: Facts, rates: Mapping[str, int]) -> None:
        """`rates`: lianji.rates.foreign_rates."""
        self._rates = rates
        self._rows = facts.rows("given_back", GivenBack, keys=2)

    def give(self, institution: str, record: Posting, taken_minor: int) -> int:
        """What the posting must have given, where it says what was asked for; its original took `taken_minor`. -1: it gives more than is left."""
        if (
            institution not in self._rates
            or not record.original
            or (record.amount_minor >= 0 and not record.asked_minor)
        ):
            return 0
        row = self._row(record.original, institution)
        left_minor = taken_minor - row.booked_minor - row.unsaid_minor
        whole_minor = billed(row.asked_minor + record.asked_minor, self._rates[institution])
        share_minor = max(0, min(whole_minor - row.booked_minor, left_minor))
        self._add(row, record.asked_minor, -record.amount_minor, said=record.asked_minor > 0)
        return -1 if -record.amount_minor > left_minor else share_minor

    def undo(self, institution: str, original: str, asked_minor: int, record: ReversalPosting) -> None:
        """A posting that was about `original`, and gave back for `asked_minor`, is undone."""
        if institution in self._rates and original and record.amount_minor <= 0:
            self._add(self._row(original, institution), -asked_minor, record.amount_minor, said=asked_minor > 0)

    def _row(self, original: str, institution: str) -> GivenBack:
        return self._rows.get(original, institution) or self._rows.add(GivenBack(original, institution))

    def _add(self, row: GivenBack, asked_minor: int, booked_minor: int, *, said: bool) -> None:
        if said:
            row.asked_minor += asked_minor
            row.booked_minor += booked_minor
        else:
            row.unsaid_minor += booked_minor
