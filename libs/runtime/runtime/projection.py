"""A durable follower of a log that keeps what it makes of it in SQL.

The checkpoint stands in the same SQL transaction as the rows, and the consumer is acknowledged after the commit: a crash in
between only means that groups come again and are recognised by their sequence. The checkpoint is the truth, the consumer
the bell. A group that cannot be projected stops the projection and is never skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from contracts.reading import rule
from runtime import catalogue, logs, streams
from runtime.bus import Bus
from runtime.bus_errors import BusError
from runtime.log import LogDamaged, decode_group
from runtime.metrics import Metrics
from runtime.pull import Delivered, PullConsumer

log = logs.get("projection")

FETCH = 256
FETCH_WAIT_S = 2.0
LINGER_S, LONG_LINGER_S = 0.2, 1.0
"""Pause after a fetch that was not full: groups gather, so that one SQL transaction and its sync to disk carry many of them.
The same disk syncs the broker's appends, on which terminals wait. When somebody waits for a projection there is no pause."""
AT_ONCE = 1_000
"""Records that fill one SQL transaction: a second's at half a thousand sales. What gathers in a stall is not taken in one piece: the memory
that the largest piece ever has needed is kept by the process for good, and a stall that is longer still comes along in time."""
BUSY = 16
"""Groups in one fetch that make the pause the long one: what each round costs, whatever it brings, is then paid once a second."""


class ProjectionError(Exception):
    """A group that must not be projected: the message says which and why. The projection stops."""


class ProjectedGroup(NamedTuple):
    sequence: int
    records: tuple[Any, ...]


class Projection(Protocol):
    """Called in a worker thread, one call at a time per partition."""

    def checkpoint(self, partition: str) -> int:
        """Sequence of the last group in the database, 0 when there is none."""

    def apply(self, partition: str, groups: Sequence[ProjectedGroup]) -> None:
        """One SQL transaction: the groups' rows and the checkpoint. Raises ProjectionError for a poison group."""


def pause_s(groups: int) -> float:
    """How long to let groups gather after a fetch that brought so many.

    >>> pause_s(2), pause_s(100), pause_s(FETCH)
    (0.2, 1.0, 0.0)
    """
    if groups >= FETCH:
        return 0.0
    return LONG_LINGER_S if groups >= BUSY else LINGER_S


class Follower:
    """One projection of one log."""

    def __init__(
        self,
        bus: Bus,
        *,
        stream: str,
        durable: str,
        partition: str,
        projection: Projection,
        decode: Callable[[bytes], Any],
        metrics: Metrics | None = None,
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._partition = partition
        self._projection = projection
        self._decode = decode
        self.checkpoint = 0
        self.stopped = ""
        self.trouble = ""
        """Why nothing has come lately."""
        self._last: int | None = None
        self._redelivered: int | None = None
        """Where the log ended and what its consumer had brought again, when it was last asked; None: nobody could say."""
        self._waiting: list[tuple[int, asyncio.Future[bool]]] = []
        self._waited_for = asyncio.Event()
        self._measure(metrics or Metrics())

    def _measure(self, metrics: Metrics) -> None:
        metrics.before_reading(self._look)

        def told(number: int | None) -> list[tuple[tuple[str], float]]:
            return [] if number is None else [((self._durable,), number)]

        def lag() -> int | None:
            return None if self._last is None else max(self._last - self.checkpoint, 0)

        metrics.gauge(catalogue.CONSUMER_LAG).watch(lambda: told(lag()))
        metrics.gauge(catalogue.CONSUMER_REDELIVERED).watch(lambda: told(self._redelivered))
        metrics.gauge(catalogue.PROJECTION_STOPPED).watch(lambda: told(int(bool(self.stopped))))

    async def _look(self) -> None:
        """Before the metrics are read."""
        self._last = self._redelivered = None
        try:
            self._last = (await streams.state_of(self._bus, self._stream)).last_seq
            self._redelivered = await streams.redelivered(self._bus, self._stream, self._durable)
        except BusError as error:
            log.debug("the lag cannot be told now", stream=self._stream, error=type(error).__name__)

    async def run(self) -> None:
        """Follows until cancelled, or until a poison group stops it."""
        self.checkpoint = await asyncio.to_thread(self._projection.checkpoint, self._partition)
        while not self.stopped:
            try:
                await self._follow()
            except BusError as error:
                self.trouble = type(error).__name__
                log.debug("follower asks again", stream=self._stream, error=self.trouble)
                await asyncio.sleep(0.2)
            except (ProjectionError, LogDamaged) as error:
                self.stopped = str(error)
                self._tell()
                log.error(
                    "projection stopped: a group cannot be projected",
                    stream=self._stream,
                    durable=self._durable,
                    checkpoint=self.checkpoint,
                    reason=str(error),
                    what_to_do="nothing is skipped; mend the cause and restart the service, it goes on at the checkpoint",
                )

    async def ready(self) -> str:
        """A readiness check."""
        if self.stopped:
            return f"{self._durable}: stopped: {self.stopped}"
        return f"{self._durable}: cannot read: {self.trouble}" if self.trouble else ""

    async def reached(self, sequence: int, within_s: float) -> bool:
        """Returns once the groups up to `sequence` are in the database; False when they are not there in time, or the projection has stopped."""
        if self.checkpoint >= sequence or self.stopped:
            return self.checkpoint >= sequence
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = (sequence, told)
        self._waiting.append(waiting)
        self._waited_for.set()
        try:
            async with asyncio.timeout(within_s):
                return await told
        except TimeoutError:
            return False
        finally:
            self._waiting.remove(waiting)
            if not self._waiting:
                self._waited_for.clear()

    def _tell(self) -> None:
        """Whoever waits for a sequence that is reached, or that will not be."""
        for sequence, told in self._waiting:
            if (self.checkpoint >= sequence or self.stopped) and not told.done():
                told.set_result(self.checkpoint >= sequence)

    async def _gather(self, pause: float) -> None:
        """Lets groups gather, but not while somebody waits for them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._waited_for.wait()

    async def _follow(self) -> None:
        last = (await streams.state_of(self._bus, self._stream)).last_seq
        if self.checkpoint > last:
            raise LogDamaged(f"{self._stream}: it ends at {last}, and {self.checkpoint} has been projected")
        consumer = PullConsumer(self._bus, self._stream, self._durable)
        await consumer.open()
        try:
            while True:
                messages = await consumer.fetch(FETCH, FETCH_WAIT_S)
                self.trouble = ""
                if not messages:
                    continue
                await self._project(messages)
                consumer.acknowledge(messages[-1:])  # AckPolicy.ALL: and all before it
                await self._gather(pause_s(len(messages)))
        finally:
            await consumer.close()

    async def _project(self, messages: Sequence[Delivered]) -> None:
        fresh = [(message.sequence, message.data) for message in messages if message.sequence > self.checkpoint]
        if not fresh:
            return
        await self._catch_up(fresh[0][0] - 1)
        pieces = _Pieces(self._apply)
        expected = self.checkpoint + 1
        for sequence, data in fresh:
            if sequence < expected:
                continue  # the same group twice in one fetch
            for missing in range(expected, sequence):
                await pieces.take(self._group(missing, await self._read(missing)))
            await pieces.take(self._group(sequence, data))
            expected = sequence + 1
        await pieces.end()

    async def _catch_up(self, last: int) -> None:
        """Projects up to `last` what the consumer has brought before, and not to this database: its tables were made anew."""
        pieces = _Pieces(self._apply)
        expected = self.checkpoint + 1
        async for message in streams.messages(self._bus, self._stream, expected, last):
            if message.seq != expected:
                raise LogDamaged(f"{self._stream}: sequence {expected} is missing")
            await pieces.take(self._group(message.seq, message.data))
            expected += 1
        await pieces.end()
        if self.checkpoint < last:
            raise LogDamaged(f"{self._stream}: sequence {self.checkpoint + 1} is missing")

    async def _apply(self, groups: list[ProjectedGroup]) -> None:
        await asyncio.to_thread(self._projection.apply, self._partition, groups)
        self.checkpoint = groups[-1].sequence
        self._tell()

    async def _read(self, sequence: int) -> bytes:
        """A group that the consumer did not bring in order (a redelivery is on its way): read from the stream's leader."""
        message = await streams.message_at(self._bus, self._stream, sequence)
        if message is None:
            raise LogDamaged(f"{self._stream}: sequence {sequence} is missing")
        return message.data

    def _group(self, sequence: int, payload: bytes) -> ProjectedGroup:
        try:
            return ProjectedGroup(
                sequence,
                tuple(
                    self._decode(bytes(raw))
                    for raw in decode_group(payload, f"{self._stream}: sequence {sequence}").records
                ),
            )
        except msgspec.ValidationError as error:
            raise ProjectionError(f"{self._stream}: sequence {sequence}: {rule(error)}") from None


class _Pieces:
    """Groups in order, handed on a piece at a time."""

    def __init__(self, apply: Callable[[list[ProjectedGroup]], Awaitable[None]]) -> None:
        self._apply = apply
        self._groups: list[ProjectedGroup] = []
        self._records = 0

    async def take(self, group: ProjectedGroup) -> None:
        self._groups.append(group)
        self._records += len(group.records)
        if self._records >= AT_ONCE or len(self._groups) >= FETCH:
            await self.end()

    async def end(self) -> None:
        """What is left is handed on."""
        groups, self._groups, self._records = self._groups, [], 0
        if groups:
            await self._apply(groups)
