"""A TCP proxy that stands in a line and does to its units what bad networks do."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import NamedTuple

from lianji.ports import LOOPBACK
from reliability.chaos.acks import AckWatch
from reliability.chaos.wire import Cutter, Unit

CHUNK = 65_536
MOST_WAITING = 4096
"""Units of one direction that wait for their moment; above that the sender is not read."""
HELD_S = 0.3
"""A unit that lets the next one pass is held for so long at most."""
CONNECT_S, RETRY_S = 5.0, 0.1
NEVER = 0.0


class Weather(NamedTuple):
    """What happens to the units of a line, each by chance, 0 never and 1 always."""

    drop: float = NEVER
    late: float = NEVER
    late_by_s: float = 0.0
    """At most; what comes after a late unit is late as well."""
    duplicate: float = NEVER
    reorder: float = NEVER
    """Of units, and of the second copies of doubled ones: they let the next unit pass."""
    cut: float = NEVER
    """The connection ends in the middle of the unit, for both sides."""


FAIR = Weather()


class Direction:
    """One direction of one connection."""

    def __init__(self, proxy: Proxy, cutter: Cutter, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        self._proxy = proxy
        self._cutter = cutter
        self._writer = writer
        self._gate = gate
        self._queue: asyncio.Queue[tuple[float, Unit]] = asyncio.Queue(MOST_WAITING)
        self._held: Unit | None = None
        self._due_s = 0.0
        self.taken: Callable[[Unit], None] | None = None
        self.given: Callable[[Unit], None] | None = None
        """Called with each unit as it came, and when it has been passed on."""

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Until the sender says no more, and all that it has said is passed on."""
        while data := await reader.read(CHUNK):
            for unit in self._cutter.push(data):
                if self.taken is not None:
                    self.taken(unit)
                await self._take(unit)
        await self._release()
        await self._put(_END)

    async def _take(self, unit: Unit) -> None:
        weather, chance = self._proxy.weather, self._proxy.random.random
        if not unit.whole or weather is FAIR:
            await self._put(unit)
            await self._release()
            return
        if chance() < weather.cut:
            await self._put(Unit(unit.raw[: max(len(unit.raw) // 2, 1)], whole=False))
            await self._put(_END)
            return
        if chance() < weather.drop:
            return
        if chance() < weather.late:
            now_s = asyncio.get_running_loop().time()
            self._due_s = max(self._due_s, now_s + weather.late_by_s * chance())
        copies = 2 if chance() < weather.duplicate else 1
        for copy in range(copies):
            # Of a doubled unit the second copy may be late, of a single one the unit itself.
            if copy == copies - 1 and self._held is None and chance() < weather.reorder:
                self._hold(unit)
                return
            await self._put(unit)
        await self._release()

    def _hold(self, unit: Unit) -> None:
        self._held = unit

        def no_other_came() -> None:
            if self._held is unit and not self._queue.full():
                self._held = None
                self._queue.put_nowait((self._due_s, unit))

        asyncio.get_running_loop().call_later(HELD_S, no_other_came)

    async def _release(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            await self._put(held)

    async def _put(self, unit: Unit) -> None:
        await self._queue.put((self._due_s, unit))

    async def write(self) -> None:
        """Passes on what has come, each unit at its moment and while the way is open; returns when it is the last one."""
        loop = asyncio.get_running_loop()
        while True:
            due_s, unit = await self._queue.get()
            if (early_s := due_s - loop.time()) > 0:
                await asyncio.sleep(early_s)
            await self._gate.wait()
            if unit is _END:
                return
            self._writer.write(unit.raw)
            await self._writer.drain()
            if self.given is not None:
                self.given(unit)


_END = Unit(b"", whole=False)
"""Behind it nothing comes."""


class Proxy:
    """Listens on a port of its own and connects each caller on to `host` and `port`."""

    def __init__(
        self,
        host: str,
        port: int,
        cutter: Callable[[], Cutter],
        *,
        seed: int,
        watch: Callable[[], AckWatch] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._cutter = cutter
        self._watch = watch
        self.random = random.Random(seed)
        self.weather = FAIR
        self._inward, self._outward = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.join()

    async def start(self) -> None:
        """Takes connections from now on, on `port`."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0, limit=CHUNK)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def part(self, *, inward: bool = True, outward: bool = True) -> None:
        """Nothing passes towards the host (inward), or from it, until `join`. Connections stay: as with a cable that is out, what
        was sent meanwhile arrives later."""
        if inward:
            self._inward.clear()
        if outward:
            self._outward.clear()

    def join(self) -> None:
        self._inward.set()
        self._outward.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in one
        self._connections.add(task)
        try:
            await self._connect_on(reader, writer)
        except (OSError, ValueError, RuntimeError, asyncio.CancelledError):
            # One of the two sides has gone (RuntimeError: its socket is closed, says the loop), or speaks another language.
            return
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _connect_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._inward.wait()
        async with asyncio.timeout(CONNECT_S):
            back, forth = await asyncio.open_connection(self._host, self._port, limit=CHUNK)
        inward = Direction(self, self._cutter(), forth, self._inward)
        outward = Direction(self, self._cutter(), writer, self._outward)
        if self._watch is not None:
            _watch(self._watch(), inward, outward)
        reading = [asyncio.ensure_future(inward.read(reader)), asyncio.ensure_future(outward.read(back))]
        tasks = [*reading, asyncio.ensure_future(inward.write()), asyncio.ensure_future(outward.write())]
        try:
            pending = set(tasks)
            while all(
                task in pending for task in tasks[2:]
            ):  # what has been read is passed on before both sides are let go
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(OSError):
                forth.transport.abort()


def _watch(watch: AckWatch, inward: Direction, outward: Direction) -> None:
    inward.taken = lambda unit: watch.published(unit.subject, unit.reply, unit.body)
    outward.given = lambda unit: watch.answered(unit.subject, unit.body)
