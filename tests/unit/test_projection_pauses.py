"""How long a follower lets groups gather: not at all while it is behind, longer while many come than while few do."""

from __future__ import annotations

import pytest

from runtime.projection import BUSY, FETCH, LINGER_S, LONG_LINGER_S, pause_s


@pytest.mark.parametrize(
    ("groups", "pause"),
    [(1, LINGER_S), (BUSY - 1, LINGER_S), (BUSY, LONG_LINGER_S), (FETCH - 1, LONG_LINGER_S), (FETCH, 0.0)],
)
def test_the_pause_after_a_fetch(groups: int, pause: float) -> None:
    assert pause_s(groups) == pause


def test_few_do_not_wait_for_long() -> None:
    assert 0 < LINGER_S < LONG_LINGER_S
