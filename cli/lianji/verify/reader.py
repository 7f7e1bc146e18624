"""Reads logs on from where they were left, and keeps what is wrong with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from contracts.reading import rule
from lianji.verify.sources import Progress
from runtime.log import LogDamaged, LogStore, Position, digest, read_groups

TELL_EVERY = 5_000
"""Groups between two words of progress."""

Take = Callable[[int, int, bytes], None]
"""Sequence of the group, place of the record in it, and the record."""
AfterGroup = Callable[[Position, bytes], Awaitable[None]]
"""Called behind each group: where it stands, and its payload."""


def nobody_listens(_: str) -> None:
    return


class LogReader:
    """Reads one log on from where it stopped."""

    def __init__(
        self, store: LogStore, take: Take, after: AfterGroup | None = None, progress: Progress = nobody_listens
    ) -> None:
        self.store = store
        self.position = Position()
        self.damage = ""
        self._take, self._after, self._progress = take, after, progress

    async def read_on(self) -> None:
        """To the log's end."""
        if self.damage:
            return
        try:
            last = await self.store.last_sequence()
            if last < self.position.sequence:
                raise LogDamaged(f"{self.store.name}: it ends at {last}, {self.position.sequence} has been read")
            async for group in read_groups(self.store, self.position, last):
                for position, raw in enumerate(group.group.records):
                    self._take(group.sequence, position, bytes(raw))
                self.position = Position(group.sequence, digest(group.payload))
                if self._after is not None:
                    await self._after(self.position, group.payload)
                if group.sequence % TELL_EVERY == 0:
                    self._progress(f"reading {self.store.name}: {group.sequence:,} of {last:,} groups")
        except LogDamaged as error:
            self.damage = str(error)
        except msgspec.ValidationError as error:
            self.damage = f"{self.store.name}: sequence {self.position.sequence + 1} holds no record: {rule(error)}"
