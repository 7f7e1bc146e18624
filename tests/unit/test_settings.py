"""Settings that every process takes."""

from __future__ import annotations

import pytest

from lianji.collector import settings as collector
from receipts import settings as receipts
from runtime.settings import FOLLOWS, BaseSettings, SettingsError, load
from settlement import settings as settlement


def test_who_follows_the_journal_steps_back_and_the_path_does_not() -> None:
    assert (load(BaseSettings, {}).nice, load(BaseSettings, {}).scheduler) == (0, "batch")
    for kind in (receipts.Settings, settlement.Settings, collector.Settings):
        assert (load(kind, {}).nice, load(kind, {}).scheduler) == (FOLLOWS, "other")
        assert load(kind, {"LIANJI_NICE": "0"}).nice == 0


@pytest.mark.parametrize("nice", ["-1", "20", "much"])
def test_a_step_that_is_none_is_named(nice: str) -> None:
    with pytest.raises(SettingsError, match=r"^LIANJI_NICE: "):
        load(BaseSettings, {"LIANJI_NICE": nice})


def test_a_policy_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^LIANJI_SCHEDULER: .*; take batch or other, or leave it out"):
        load(BaseSettings, {"LIANJI_SCHEDULER": "fair"})
