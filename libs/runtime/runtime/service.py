"""One process from start to drain. Every service's `__main__` calls `run` with its name, settings and wiring."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import uvloop

from runtime import (
    catalogue,
    clock,
    collecting,
    coredumps,
    escaped,
    logs,
    memory,
    metrics_export,
    openmetrics,
    scheduling,
)
from runtime.bus import Bus, BusError, NotDelivered, Request
from runtime.exporting import Exporter
from runtime.heads import BucketHeads
from runtime.health import Health
from runtime.identity import TEST_WORLD, SeedOf, identities_for
from runtime.jetstream import Bucket, JetStreamLog, open_bucket, open_lease
from runtime.metrics import Metrics
from runtime.metrics_export import MetricsExport
from runtime.ownership import Machine, Office, Owner
from runtime.settings import BaseSettings, SettingsError, load
from runtime.snapshots import BucketSnapshots
from runtime.span_queue import REASONS
from runtime.tracing import Tracer

log = logs.get("service")

C = TypeVar("C", bound=BaseSettings)
S = TypeVar("S")

DRAIN_S = 15.0


class Service(Generic[C]):
    """What a service's wiring gets to work with."""

    def __init__(self, name: str, instance: str, settings: C, buses: Sequence[Bus]) -> None:
        self.name = name
        self.instance = instance
        self.settings = settings
        self.buses = {bus.identity: bus for bus in buses}
        """A connection for each identity of this process."""
        self.tracer = Tracer(name, instance)
        self.exporter = Exporter(self.tracer)
        self.metrics = Metrics()
        self.health = Health()
        self.health.page("/metrics", self._metrics_page)
        for bus in buses:
            self.health.check("broker" if len(buses) == 1 else f"broker, as {bus.identity}", bus.alive)
        self.ports: dict[str, int] = {}
        """Ports taken, by name, for the run file."""
        self.stopping = asyncio.Event()
        self.failed = False
        self._owners: list[Owner[Any]] = []
        self._drains: list[Callable[[], Awaitable[None]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def bus(self) -> Bus:
        """The connection of a process with one identity."""
        (bus,) = self.buses.values()
        return bus

    async def _metrics_page(self, accept: str) -> tuple[str, bytes]:
        return openmetrics.text(await self.metrics.read(), self.tracer.resource.attributes, accept)

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Called when the process is asked to stop, together with the others."""
        self._drains.append(callback)

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Runs `work` beside the rest; if it fails the process drains and exits non-zero, for a half-alive service helps nobody."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed, the process stops", task=task.get_name(), exc_info=error)
            self.failed = True
            self.stopping.set()

    async def own(
        self,
        *,
        stream: str,
        subject: str,
        leases: str,
        snapshots: str,
        key: str,
        machine: Machine[S],
        office: Office[S],
        bus: Bus | None = None,
        spread: bool = False,
    ) -> Owner[S]:
        """Contends for a log from now on, over `bus` where the process has several; drained and health-checked with the process.

        `spread`: others contend too, and the logs are better spread over all of them than in one hand.
        """
        bus = bus or self.bus
        if spread:  # two that start together would take all that comes first, each before it knows that it has one
            await asyncio.gather(*(other.asked.wait() for other in self._owners))
        notes = await open_bucket(bus, snapshots)
        store = JetStreamLog(bus, stream, subject)
        heads = BucketHeads(notes, subject, broker=lambda: bus.broker, seen=lambda: bus.brokers)
        owner = Owner(
            store=store,
            machine=machine,
            office=office,
            lease=await open_lease(bus, leases, key, self.instance),
            snapshots=BucketSnapshots(notes, subject),
            heads=heads,
            owner=self.instance,
            elsewhere=(lambda: any(other.holds for other in self._owners if other.name != subject))
            if spread
            else (lambda: False),
            metrics=self.metrics,
        )
        store.on_read = owner.has_read
        self._owners.append(owner)
        self.health.check(subject, owner.ready)
        self.on_drain(owner.drain)
        self.spawn(owner.run(), name=f"owner of {subject}")
        return owner

    async def follow(
        self, subject: str, work: Callable[[], Awaitable[None]], *, period_s: float, bus: Bus | None = None
    ) -> None:
        """Does `work` after each notice on `subject`, and every `period_s` since notices get lost. Notices that come meanwhile count as one."""
        due = asyncio.Event()

        async def noticed(_: Request) -> None:
            due.set()

        async def keep() -> None:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(due.wait(), period_s)
                due.clear()
                try:
                    await work()
                except BusError as error:  # as stale as it was; the next period tries again
                    log.warning("could not be read again", subject=subject, reason=str(error))

        serving = await (bus or self.bus).serve(subject, noticed)
        self.on_drain(serving.stop)
        self.spawn(keep(), name=f"follower of {subject}")

    async def bucket(self, name: str, *, bus: Bus | None = None) -> Bucket:
        return await open_bucket(bus or self.bus, name)

    async def drain(self) -> None:
        # All at once: each may wait for what it has in hand, and none for another.
        results = await asyncio.gather(*(callback() for callback in self._drains), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                log.error("a part did not drain", exc_info=error)
                self.failed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _write_run_file(service: Service[Any]) -> None:
    run_dir = service.settings.run_dir
    if not run_dir:
        return
    path = Path(run_dir) / f"{service.instance}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode({"pid": os.getpid(), "service": service.name, "ports": service.ports}))
    partial.replace(path)


Wire = Callable[[Service[C]], Awaitable[None]]


async def _connect(names: tuple[str, ...], instance: str, settings: BaseSettings, seed_of: SeedOf) -> list[Bus]:
    """A connection for each identity; raises SettingsError, NotDelivered, NotAdmitted."""
    buses: list[Bus] = []
    try:
        for identity in identities_for(names, settings, seed_of):
            buses.append(await Bus.connect(settings.nats_url, instance, identity=identity))
    except BaseException:
        await _hang_up(buses)
        raise
    return buses


async def _hang_up(buses: Sequence[Bus]) -> None:
    await asyncio.gather(*(bus.close() for bus in buses))


def _measure(service: Service[Any]) -> None:
    """What is measured of every process."""
    metrics, queue, exporter, health = service.metrics, service.tracer.queue, service.exporter, service.health
    metrics.before_reading(health.refresh)
    metrics.gauge(catalogue.READY).watch(health.last)
    metrics.gauge(catalogue.CLOCK_TIME).watch(lambda: [((), clock.now_ms() / 1000)])
    metrics.counter(catalogue.SPANS_ENDED).watch(lambda: [((), queue.ended)])
    # Each from 0 on: an increase of what has not been there is none.
    metrics.counter(catalogue.SPANS_DROPPED).watch(lambda: [((reason,), queue.dropped[reason]) for reason in REASONS])
    metrics.counter(catalogue.SPANS_EXPORTED).watch(lambda: [((), exporter.exported)])
    metrics.counter(catalogue.SPANS_UNDELIVERED).watch(lambda: [((), exporter.undelivered)])


async def live(name: str, settings: C, wire: Wire[C], seed_of: SeedOf, identities: tuple[str, ...]) -> int:
    """One life of a process on the running loop, from its connection to the broker until it has drained: its exit status."""
    instance = settings.instance or f"{name}-{os.getpid()}"
    logs.configure(name, instance, settings.log_level)
    escaped.install()
    escaped.watch(asyncio.get_running_loop())
    try:
        buses = await _connect(identities, instance, settings, seed_of)
    except (NotDelivered, SettingsError) as error:
        log.error("cannot start", reason=str(error))
        return 2 if isinstance(error, SettingsError) else 1
    if settings.clock_wrong_by_s:
        log.warning("the clock is wrong on purpose", by_s=settings.clock_wrong_by_s)
    service = Service(name, instance, settings, buses)
    exporter = asyncio.create_task(service.exporter.run())
    _measure(service)
    interval = metrics_export.interval_s()
    metrics = MetricsExport(service.metrics, service.tracer.resource, interval) if interval is not None else None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stopping.set)
    try:
        await wire(service)
        await _run_until_stopped(service)
    except (NotDelivered, SettingsError) as error:
        log.error("cannot start", reason=str(error))
        return 2 if isinstance(error, SettingsError) else 1
    finally:
        if metrics is not None:
            await metrics.stop()
        await service.health.stop()
        exporter.cancel()
        await asyncio.gather(exporter, return_exceptions=True)
        await _hang_up(buses)
    log.info("stopped")
    return 1 if service.failed else 0


def _set_clock(settings: BaseSettings) -> None:
    """Wrong where a drill says so; raises SettingsError where none may."""
    if settings.clock_wrong_by_s:
        if settings.world != TEST_WORLD:
            raise SettingsError(
                "LIANJI_CLOCK_WRONG_BY_S: is for drills in the test world (LIANJI_WORLD=test); leave it out"
            )
        clock.go_wrong(settings.clock_wrong_by_s)


async def _run_until_stopped(service: Service[Any]) -> None:
    """From wired to drained."""
    settings = service.settings
    await service.health.start(settings.health_host, settings.health_port)
    service.ports["health"] = service.health.port
    _write_run_file(service)  # before anybody can learn that it is there
    for bus in service.buses.values():
        await bus.announce(service.name, {"instance": service.instance, "identity": bus.identity})
    collecting.collect_seldom()
    log.info("started", **service.ports)
    await service.stopping.wait()
    log.info("draining")
    try:
        await asyncio.wait_for(service.drain(), DRAIN_S)
    except TimeoutError:
        log.error("not drained in time", seconds=DRAIN_S)
        service.failed = True


def run(
    name: str,
    settings_kind: type[C],
    wire: Wire[C],
    *,
    seed_of: SeedOf,
    identities: Callable[[C], tuple[str, ...]] | None = None,
) -> None:
    """Runs a service until SIGTERM or SIGINT and exits: 0 drained, 1 failed, 2 a setting cannot be read.

    `seed_of` gives the test world's keys (used when LIANJI_WORLD says so); `identities` says who the process is at the broker, where it
    is not one identity named like the service.
    """
    coredumps.forbid()
    memory.give_back()
    try:
        settings = load(settings_kind)
        _set_clock(settings)
        names = identities(settings) if identities is not None else (name,)
        os.nice(settings.nice)
        scheduling.use(settings.scheduler, name)
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(2) from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            code = runner.run(live(name, settings, wire, seed_of, names))
        except BaseException as error:  # SystemExit too, of whichever task: the interpreter would print its text
            log.critical("the process ends by an exception", exc_info=error)
            # At once: tasks may be in any state, and to wait for them would leave a process that neither works nor is started
            # again. What anybody was told is in the logs.
            os._exit(1)
    raise SystemExit(code)
