"""How long `lianji up` waits for its services: as long as they come on."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lianji import stack as module
from lianji.declaration import expected_subjects
from lianji.errors import CliError
from lianji.stack import READY_S, Stack
from runtime.bus import Bus

ROUNDS = 5


class Broker:
    """Everybody answers at the last of ROUNDS questions; each takes nearly all of the patience."""

    def __init__(self, stack: Stack) -> None:
        self.now_s = 0.0
        self.asked = 0
        self._everybody = expected_subjects(stack.world)

    async def discover(self) -> set[str]:
        self.now_s += 0.9 * READY_S
        self.asked += 1
        return self._everybody if self.asked == ROUNDS else set()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    await stack.stop()


async def wait(stack: Stack, monkeypatch: pytest.MonkeyPatch, said: Iterator[str]) -> Broker:
    broker = Broker(stack)

    async def progress() -> str:
        return next(said)

    async def yes(_: int) -> bool:
        return True

    monkeypatch.setattr(stack, "_progress", progress)
    monkeypatch.setattr(module, "_takes_connections", yes)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: broker.now_s))
    await stack._until_ready(cast(Bus, cast(Any, broker)))
    return broker


async def test_a_long_replay_is_waited_for(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    said = (f"journal.v1.0: replaying, at {number} of 1000 groups" for number in itertools.count())
    assert (await wait(stack, monkeypatch, said)).asked == ROUNDS


async def test_who_says_nothing_new_is_not(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CliError, match="not ready, and nothing new for 120 s: nobody answers auth"):
        await wait(stack, monkeypatch, itertools.repeat("journal.v1.0: replaying, at 1 of 1000 groups"))
