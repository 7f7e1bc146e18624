"""How old the oldest open work of a shard is."""

from __future__ import annotations

from auth.domain.state import Shard


def oldest_intent_ms(shard: Shard, at_ms: int) -> int:
    """Milliseconds since the first of the intents without an outcome was decided; 0 when there is none."""
    first = next(iter(shard.intents), None)
    return 0 if first is None else max(at_ms - shard.transactions[first].at_ms, 0)


def oldest_batch_ms(shard: Shard, at_ms: int) -> int:
    """Milliseconds since the first transaction of the open batch that began first; 0 when every batch is empty."""
    begun = (
        shard.transactions[terminal.transactions[0]].at_ms
        for terminal in shard.terminals.values()
        if terminal.transactions
    )
    return max(at_ms - min(begun, default=at_ms), 0)
