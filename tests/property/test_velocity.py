"""Velocity windows against a list of everything: never more than the limit in any window, and never a refusal without a reason."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auth.domain import velocity
from auth.domain.velocity import CARD, STEPS, TERMINAL, Limit
from contracts.kinds import Kind

KEYS = st.sampled_from("abc")
MOVES = st.lists(
    st.tuples(
        st.integers(-200, 700),  # milliseconds since the last one; the clock may go back
        KEYS,
        KEYS,
        st.integers(1, 50),
        st.booleans(),  # given back
    ),
    max_size=60,
)
LIMITS = st.tuples(st.sampled_from([CARD, TERMINAL]), st.integers(1, 3000), st.integers(0, 5), st.integers(0, 120)).map(
    lambda values: Limit(*values)
)


def inside(counted: list[tuple[int, str, str, int]], limit: Limit, key: str, since_ms: int) -> tuple[int, int]:
    """How many of a key there are behind a moment, and what they come to."""
    found = [
        minor
        for at_ms, card, terminal, minor in counted
        if at_ms > since_ms and (card if limit.scope == CARD else terminal) == key
    ]
    return len(found), sum(found)


@given(st.lists(LIMITS, min_size=1, max_size=3), MOVES)
def test_windows(limits: list[Limit], moves: list[tuple[int, str, str, int, bool]]) -> None:
    counting = velocity.begun(limits)
    assert counting is not None
    counted: list[tuple[int, str, str, int]] = []
    at_ms = 1_000_000
    for elapsed, card, terminal, minor, comes_to_nothing in moves:
        at_ms += elapsed
        now_ms = max(at_ms, counting.at_ms)
        code = velocity.refusal(counting, Kind.SALE, terminal=terminal, card=card, amount_minor=minor, at_ms=at_ms)
        for limit in limits:
            key = card if limit.scope == CARD else terminal
            count, total = inside(counted, limit, key, now_ms - limit.window_ms)
            if not code:
                assert not limit.most or count < limit.most
                assert not limit.most_minor or total + minor <= limit.most_minor
        if code:
            reasons = []
            for limit in limits:
                key = card if limit.scope == CARD else terminal
                step_ms = -(-limit.window_ms // STEPS)
                count, total = inside(counted, limit, key, now_ms - step_ms * (STEPS + 1) - 1)
                reasons += ["65"] * bool(limit.most and count >= limit.most)
                reasons += ["61"] * bool(limit.most_minor and total + minor > limit.most_minor)
            assert code in reasons
            continue
        when = velocity.count(counting, terminal=terminal, card=card, amount_minor=minor, at_ms=at_ms)
        if comes_to_nothing:
            velocity.give_back(counting, terminal=terminal, card=card, amount_minor=minor, counted_ms=when)
        else:
            counted.append((when, card, terminal, minor))
    for window in counting.windows:
        for steps in window.steps.values():
            assert len(steps) <= STEPS + 1, "memory is bounded"
            assert all(step.count >= 0 and step.amount_minor >= 0 for step in steps)
