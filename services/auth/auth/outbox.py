"""What one bank is to be told during one term of office: one at a time, until it has acknowledged each."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from auth.domain.state import Shard
from runtime.ownership import Term

FIRST_PAUSE_S = 0.1


class Outbox(ABC):
    """The queue itself is state: ids, in order, that leave it by the record of the acknowledgement."""

    LONGEST_PAUSE_S: ClassVar[float]
    """Between two tries."""

    def __init__(self, term: Term[Shard], institution: str) -> None:
        self._term = term
        self._institution = institution
        self._news = asyncio.Event()

    @abstractmethod
    def _queue(self) -> Mapping[str, None] | None:
        """What waits now."""

    def _first(self, queue: Mapping[str, None]) -> str:
        """Which of those that wait is delivered next."""
        return next(iter(queue))

    @abstractmethod
    async def _deliver(self, id_: str) -> bool:
        """Tells the bank of one; False when it is to be told again."""

    def notify(self) -> None:
        """Something may have been queued."""
        self._news.set()

    async def run(self) -> None:
        """Delivers until cancelled or the term ends."""
        pause = FIRST_PAUSE_S
        while True:
            queue = self._queue()
            if not queue:
                self._news.clear()
                await self._news.wait()
                continue
            if await self._deliver(self._first(queue)):
                pause = FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, self.LONGEST_PAUSE_S)
