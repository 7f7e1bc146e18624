"""Whatever is done, a batch never comes to hold more than can be told of it, and the room that is kept of it is what stands in it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given, settings

from contracts.batch import MOST_WITH
from contracts.journal import Intent, Outcome
from contracts.kinds import KINDS, Kind
from contracts.states import State
from tests.property.test_auth_state import Bench, steps

SALES, RETURNS, ALL = 2, 3, 4
SMALL = {
    kind: ALL if facts.advice or not facts.settles else SALES if facts.debit else RETURNS
    for kind, facts in KINDS.items()
}


def settling(bench: Bench, terminal: str) -> list[Kind]:
    """Counted one by one: what stands in the open batch, or may yet."""
    held = bench.shard.batch_transactions(terminal)
    return [t.kind for t in held if KINDS[t.kind].settles and t.state in (State.INTENT, State.APPROVED)]


@settings(max_examples=100, deadline=None)
@given(steps)
def test_a_batch_never_holds_more_than_its_limits(taken: list[tuple[Any, ...]]) -> None:
    bench = Bench()
    with patch.dict(MOST_WITH, SMALL):
        for step in taken:
            before = {terminal: len(settling(bench, terminal)) for terminal in ("T1", "T2")}
            seen = len(bench.journal)
            bench.take(step)
            for terminal in before:
                held = settling(bench, terminal)
                assert bench.shard.terminal(terminal).settling == len(held) <= ALL
            for record in bench.journal[seen:]:
                judge(bench, record, before)


def judge(bench: Bench, record: object, before: dict[str, int]) -> None:
    if isinstance(record, Intent):
        room = not KINDS[record.kind].settles or before[record.terminal] < SMALL[record.kind]
        declined = [r for r in bench.journal if isinstance(r, Outcome) and r.id == record.id]
        assert room or [r.response_code for r in declined] != ["00"], "taken where there was no room"
    elif isinstance(record, Outcome) and record.response_code == "65":
        path = bench.oracle.paths[record.id].intent
        assert before[path.terminal] >= SMALL[path.kind], "refused where there was room"
