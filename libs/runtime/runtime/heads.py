"""How far a log reaches for certain, kept outside of its stream.

The hash chain shows what is wrong inside a log, and not that its end is gone: a broker that meets a damaged record drops what stands
behind it without a word, and what is left is a whole chain. So the owner notes, a moment after the acknowledgement, up to where its log
stood. A log that ends before its head has lost what somebody was told. How far behind the head may be: docs/adr/0025.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from runtime import logs
from runtime.bus_errors import BusError
from runtime.log import Position
from runtime.snapshots import Bucket

log = logs.get("heads")

M = TypeVar("M")


class SoFar(NamedTuple):
    """What has been read of a log since its broker was started."""

    up_to: int = 0
    """Nobody need read what stands up to there; 0: all of it is to be read."""
    gone_on_from: str = ""
    """The broker at which the log was whole, where its owners have gone on over the start of this one, or this process has; empty where nobody has."""


class Heads(Protocol):
    """The notes on one log."""

    async def save(self, position: Position, *, read_from: str = "") -> None:
        """Notes that the log stands at `position`, acknowledged. `read_from`: the broker from which all of it has been read since it was
        started, or to which it has been appended since; empty when there is none."""

    async def newest(self) -> Position:
        """The last position noted, Position() when there is none; raises NoAnswer when nobody can say."""

    @property
    def broker(self) -> str:
        """Which broker keeps the log now: another name after each of its starts."""

    async def mark_read(self, sequence: int, broker: str, *, gone_on_from: str = "") -> None:
        """Notes that all up to `sequence` has been read from this broker since it was started, and was whole. `gone_on_from`: it is read beside the
        work, by an owner whose log was whole at that broker."""

    async def so_far(self) -> SoFar:
        """What has been read since the broker was started; raises NoAnswer when nobody can say."""


class NoHeads:
    """For logs that nobody has to trust after a restart."""

    async def save(self, position: Position, *, read_from: str = "") -> None:
        return

    async def newest(self) -> Position:
        return Position()

    @property
    def broker(self) -> str:
        return ""

    async def mark_read(self, sequence: int, broker: str, *, gone_on_from: str = "") -> None:
        return

    async def so_far(self) -> SoFar:
        return SoFar()


class _Head(msgspec.Struct, kw_only=True):
    sequence: int
    digest: str
    broker: str = ""
    """Which has been read, or written, up to here; a note of before does not say."""


class _Read(msgspec.Struct, kw_only=True):
    broker: str
    sequence: int
    gone_on_from: str = ""


_head = msgspec.json.Decoder(_Head)
_read = msgspec.json.Decoder(_Read)


class BucketHeads:
    """In the bucket of the owner's snapshots: `<log>.head` and `<log>.read`."""

    def __init__(
        self, bucket: Bucket, log_name: str, *, broker: Callable[[], str], seen: Callable[[], Set[str]] = frozenset
    ) -> None:
        """`broker` names the broker that keeps the log now: another name after each of its starts; `seen` all that this process has lived with."""
        self._bucket = bucket
        self._log = log_name
        self._broker = broker
        self._seen = seen

    async def save(self, position: Position, *, read_from: str = "") -> None:
        await self._put("head", _Head(sequence=position.sequence, digest=position.digest, broker=read_from))

    async def newest(self) -> Position:
        stored = await self._bucket.get(f"{self._log}.head")
        try:
            head = None if stored is None else _head.decode(stored)
        except msgspec.MsgspecError:
            log.error("the log's head cannot be read: its end is not checked this time", log=self._log)
            return Position()
        return Position() if head is None else Position(head.sequence, head.digest)

    @property
    def broker(self) -> str:
        return self._broker()

    async def mark_read(self, sequence: int, broker: str, *, gone_on_from: str = "") -> None:
        await self._put("read", _Read(broker=broker, sequence=sequence, gone_on_from=gone_on_from))

    async def so_far(self) -> SoFar:
        read, head = await self._mark("read", _read), await self._mark("head", _head)
        here = self._broker()
        up_to = max(mark.sequence if mark is not None and mark.broker == here else 0 for mark in (read, head))
        if read is not None and read.broker == here and read.gone_on_from:
            return SoFar(up_to, read.gone_on_from)
        return SoFar(up_to, head.broker if head is not None and head.broker in self._seen() else "")

    async def _mark(self, key: str, decoder: msgspec.json.Decoder[M]) -> M | None:
        """A note that cannot be read is none: then more of the log is read again."""
        stored = await self._bucket.get(f"{self._log}.{key}")
        try:
            return None if stored is None else decoder.decode(stored)
        except msgspec.MsgspecError:
            return None

    async def _put(self, key: str, value: msgspec.Struct) -> None:
        """A note that cannot be written leaves the former one, which is true as well."""
        try:
            await self._bucket.put(f"{self._log}.{key}", msgspec.json.encode(value))
        except BusError as error:
            log.warning("the log's head is not noted", log=self._log, note=key, error=str(error))
