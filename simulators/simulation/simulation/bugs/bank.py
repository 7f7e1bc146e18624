"""Bugs of the bank."""

from __future__ import annotations

from typing import Any

from issuer_sim import handlers
from issuer_sim.domain.reverse import decide_reverse
from issuer_sim.handlers import Handlers
from simulation.bugs.bug import Replaced

_decide = Handlers._decide


def _decided_again(self: Handlers, asked: Any, *rest: Any, **more: Any) -> Any:
    """A transaction that is known is decided as if it were not."""
    transactions = self._ledger.state.transactions
    known = transactions.get(asked.transaction)
    if known is None or known.reversed:
        return _decide(self, asked, *rest, **more)
    del transactions[asked.transaction]
    try:
        return _decide(self, asked, *rest, **more)
    finally:
        transactions[asked.transaction] = known


async def _not_stood(self: Handlers, records: Any, parent: Any) -> None:
    """The answer does not wait for the ledger."""
    if records:
        self._ledger.append(records).add_done_callback(lambda done: done.cancelled() or done.exception())


def _reversal_forgets(state: Any, transaction: str, **more: Any) -> Any:
    """A reversal of what is unknown leaves nothing behind."""
    decision = _reverse(state, transaction, **more)
    return decision if transaction in state.transactions else decision._replace(records=())


_reverse = decide_reverse

NOT_IDEMPOTENT = (Replaced(Handlers, "_decide", _decided_again),)
ANSWERED_EARLY = (Replaced(Handlers, "_stand", _not_stood),)
NO_TOMBSTONE = (Replaced(handlers, "decide_reverse", _reversal_forgets),)
