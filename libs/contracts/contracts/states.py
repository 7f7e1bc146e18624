"""The states of a transaction and the one table of moves between them.

Nothing else in the project assigns a transaction's state: the switch moves through `advance`, and `lianji verify` (I7)
walks every journal path through the same table.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a transaction stands at the switch."""

    INTENT = "intent"
    """Journalled, sent to the issuer or about to be; nobody has been told anything."""
    APPROVED = "approved"
    DECLINED = "declined"
    REVERSING = "reversing"
    """Never to be settled; the issuer has yet to acknowledge the reversal."""
    REVERSED = "reversed"
    SETTLED = "settled"
    """Its batch was closed while it stood approved."""


class IllegalMoveError(Exception):
    """A move that TRANSITIONS does not hold: a bug, never an answer."""


TRANSITIONS: dict[State | None, frozenset[State]] = {
    # None is "not in the journal". The edge to REVERSING is the tombstone: a reversal came, its original did not.
    None: frozenset({State.INTENT, State.REVERSING}),
    State.INTENT: frozenset({State.APPROVED, State.DECLINED, State.REVERSING}),
    # Only one of these two wins, because one owner orders them: a batch close takes what no reversal has taken.
    State.APPROVED: frozenset({State.REVERSING, State.SETTLED}),
    # A reversal after the close: the money has been settled, so settlement books one compensation.
    State.SETTLED: frozenset({State.REVERSING}),
    State.REVERSING: frozenset({State.REVERSED}),
    State.DECLINED: frozenset(),
    State.REVERSED: frozenset(),
}


def advance(current: State | None, to: State) -> State:
    """The new state, or IllegalMoveError when the table has no such edge."""
    if to not in TRANSITIONS[current]:
        raise IllegalMoveError(f"state: no move from {current.value if current else 'nothing'} to {to.value}")
    return to
