"""What the host counts in a batch."""

from __future__ import annotations

from collections.abc import Collection

from auth.domain.state import Shard
from contracts.authorization import Totals
from contracts.kinds import KINDS
from contracts.states import State


def totals_of(shard: Shard, terminal: str, *, without: Collection[str] = ()) -> Totals:
    """What the host counts in a terminal's open batch: what stands approved, by debit and credit kinds (field 48). Holds, transfers and
    questions are neither."""
    minor, count = {True: 0, False: 0}, {True: 0, False: 0}
    for transaction in shard.batch_transactions(terminal):
        facts = KINDS[transaction.kind]
        if transaction.state is State.APPROVED and facts.settles and transaction.id not in without:
            minor[facts.debit] += transaction.amount_minor
            count[facts.debit] += 1
    return Totals(
        debit_minor=minor[True], debit_count=count[True], credit_minor=minor[False], credit_count=count[False]
    )
