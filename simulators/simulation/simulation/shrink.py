"""A failing plan made short: entries are left out as long as the same invariant still breaks (delta debugging, Zeller's ddmin)."""

from __future__ import annotations

from collections.abc import Callable

from simulation.day import Result
from simulation.plan import Entry, Plan

PLAYS = 300
"""Days that a shrink may take."""


def shrink(result: Result, play: Callable[[Plan], Result], *, plays: int = PLAYS) -> Result:
    """The day of the shortest plan found that breaks an invariant which `result` broke."""
    wanted = {breach.invariant for breach in result.breaches}
    shortest, left = result, plays
    parts = 2
    while left and len(shortest.plan.entries) > 1:
        found = None
        for entries in _without_one_part(shortest.plan.entries, parts):
            if not left:
                break
            left -= 1
            tried = play(shortest.plan.only(entries))
            if wanted & {breach.invariant for breach in tried.breaches}:
                found = tried
                break
        if found is not None:
            shortest, parts = found, max(parts - 1, 2)
        elif parts >= len(shortest.plan.entries):
            break
        else:
            parts = min(parts * 2, len(shortest.plan.entries))
    return shortest


def _without_one_part(entries: tuple[Entry, ...], parts: int) -> list[tuple[Entry, ...]]:
    size = -(-len(entries) // parts)
    return [entries[:start] + entries[start + size :] for start in range(0, len(entries), size)]
