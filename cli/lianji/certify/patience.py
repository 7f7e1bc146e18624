"""Patience with what the host does behind its answer: a reversal that is on its way to the bank."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

R = TypeVar("R")

PATIENCE_S, PAUSE_S = 8.0, 0.1


async def until(once: Callable[[], Awaitable[R]], holds: Callable[[R], bool]) -> R:
    """Asks until the answer holds, or the patience is used up: the last answer."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + PATIENCE_S
    while True:
        answer = await once()
        if holds(answer) or loop.time() > give_up:
            return answer
        await asyncio.sleep(PAUSE_S)
