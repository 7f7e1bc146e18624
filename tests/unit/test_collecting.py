"""The interpreter's search for cycles."""

from __future__ import annotations

import gc

from runtime import collecting


def test_the_collector_is_as_it_was_behind_a_time_of_seldom_collecting() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with collecting.seldom_collected():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > frozen
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
