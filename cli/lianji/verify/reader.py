"""Reads logs on from where they were left, and keeps what is wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from contracts.reading import rule
from lianji.verify.sources import Progress
from runtime.log import AppendUnknown, LogDamaged, LogStore, Position, digest, read_groups

TELL_EVERY = 5_000
"""Groups between two words of progress."""

TRIES = 6
PAUSE_S = 0.5

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
        """To the log's end; raises AppendUnknown when the broker does not answer, TRIES times on end without a group in between."""
        tries, position = 0, self.position
        while not self.damage:
            try:
                return await self._read_on()
            except AppendUnknown:  # a machine that is busy with something else: it goes on where it was
                tries = 1 if self.position != position else tries + 1
                position = self.position
                if tries == TRIES:
                    raise
                await asyncio.sleep(PAUSE_S)

    async def _read_on(self) -> None:
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
