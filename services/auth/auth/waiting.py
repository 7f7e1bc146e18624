"""Decisions that wait until what is open has an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from auth.domain.wait import Wait

D = TypeVar("D")


async def decided(decide: Callable[[], D | Wait], running: Mapping[str, asyncio.Future[Any]]) -> D:
    """Decides until there is nothing to wait for; `running`: by id, the requests that are in hand."""
    while True:
        decision = decide()
        if not isinstance(decision, Wait):
            return decision
        await asyncio.wait([running[id_] for id_ in decision.ids])
