"""Which version of the stop list a terminal has confirmed, and the push (7) that makes it ask for a newer one.

Kept as other downloads' versions are (downloaded), under a key of its own: what is newer is not known here but said by the shard, in each of
its answers. A terminal of which nothing is kept has the list that the world begins with.
"""

from __future__ import annotations

import msgspec

from contracts import subjects
from contracts.codec import decoder, encode_stored
from contracts.stop_list import BASE
from runtime import logs
from runtime.bus import NoAnswer
from terminal_gw.answers import NO_PUSH
from terminal_gw.sessions import Bucket

log = logs.get("stop-list")

PUSH = "7"
"""Processing requirement of an answer's header."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    confirmed: int = BASE
    offered: int = 0
    """The version of the first page that was sent last."""


_decode = decoder(_Kept).decode


class StopVersions:
    """Of terminals of the world, so memory is bounded by it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._due: set[str] = set()
        self._seen: dict[str, int] = {}
        """Terminal → the version for which was looked up what it has confirmed. Most are not in here."""

    def push(self, terminal: str) -> str:
        """Processing requirement for the header of an answer to this terminal."""
        return PUSH if terminal in self._due else NO_PUSH

    async def learn(self, terminal: str, version: int) -> None:
        """Its shard has this version, 0 for the one that the world begins with. The bucket is read once for each version that comes up."""
        if not version or self._seen.get(terminal) == version:
            return
        try:
            kept = await self._read(terminal)
        except NoAnswer as error:  # a terminal that has to sell is not kept from it: it is asked with the next answer
            log.warning("a terminal's version cannot be read", terminal=terminal, reason=str(error))
            return
        self._seen[terminal] = version
        # Not only an older one: a shard whose journal was restored may count anew.
        if kept.confirmed != version:
            self._due.add(terminal)
        else:
            self._due.discard(terminal)

    async def begin(self, terminal: str, version: int) -> None:
        """The first page of a version goes out; durable before it does."""
        kept = await self._read(terminal)
        if kept.offered != version:
            await self._bucket.put(_key(terminal), encode_stored(msgspec.structs.replace(kept, offered=version)))

    async def is_offered(self, terminal: str, version: int) -> bool:
        """Whether the terminal's first page was of this version."""
        return (await self._read(terminal)).offered == version

    async def confirm(self, terminal: str, version: int) -> bool:
        """The terminal has all of this version, which is the present one; False when its first page was of another one. Durable when it returns."""
        kept = await self._read(terminal)
        if kept.offered != version:
            return False
        if kept.confirmed != version:
            await self._bucket.put(_key(terminal), encode_stored(msgspec.structs.replace(kept, confirmed=version)))
        self._seen[terminal] = version
        self._due.discard(terminal)
        return True

    async def _read(self, terminal: str) -> _Kept:
        stored = await self._bucket.get(_key(terminal))
        return _Kept() if stored is None else _decode(stored)


def _key(terminal: str) -> str:
    return f"stop-list.{subjects.token(terminal)}"
