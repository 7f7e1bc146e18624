"""Many terminals at once: closed loop with a number in flight, or open loop at a rate.

In the open loop each sale has a scheduled moment, and its latency counts from there whether or not a terminal was free then: a slow host
cannot hide behind sales that were never sent (no coordinated omission). What was due and had to wait for a terminal is reported as backlog.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import world
from contracts.pan import Track2
from contracts.response_codes import RESPONSE_CODES
from terminal_sim.day import Day
from terminal_sim.link import DEFAULT_TIMEOUT_S, LinkError
from terminal_sim.opening import open_till
from terminal_sim.outcomes import Refused, ReversalOutcome, TransactionOutcome
from terminal_sim.results import SwipeResult
from terminal_sim.schedule import Schedule
from terminal_sim.shaped import Shape
from terminal_sim.tally import LoadReport, Progress, Tally
from terminal_sim.till import Till
from world import Card
from world import Terminal as TerminalFacts

PROGRESS_EVERY_S = 1.0
PATIENCE_S = 30.0
AT_ONCE = 32
"""Terminals that sign on, or recover, side by side."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_FILES, _FILES_IF_SHAPED, _FILES_BESIDE_TILLS = 2, 8, 256
"""Descriptors of a till: memory and line; with a shape also those of TLS and of lines that the host still has."""


class LoadError(Exception):
    """The load cannot be run as asked; the text says why and what to do."""


def open_tills(
    facts: Iterable[TerminalFacts],
    *,
    host: str,
    port: int,
    data_dir: str | Path,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    tls: Callable[[TerminalFacts], ssl.SSLContext] | None = None,
    shape: Shape | None = None,
) -> list[Till]:
    """Tills for many terminals, or TerminalBusyError and none. Each takes a few file descriptors; the process's limit is raised to fit.

    `tls` gives a terminal its context: under mutual TLS each has a certificate of its own. `shape` is what their lines are like.
    """
    wanted = list(facts)
    _allow_files((_FILES if shape is None else _FILES_IF_SHAPED) * len(wanted) + _FILES_BESIDE_TILLS)
    tills: list[Till] = []
    try:
        for one in wanted:
            context = None if tls is None else tls(one)
            till = open_till(
                one, host=host, port=port, data_dir=data_dir, timeout_s=timeout_s, tls=context, shape=shape
            )
            tills.append(till)
    except BaseException:
        for till in tills:
            till.shut()
        raise
    return tills


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ceiling), hard))


async def run_load(
    tills: Sequence[Till],
    cards: Sequence[Card],
    *,
    duration_s: float,
    concurrency: int | None = None,
    rate: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    batch_sales: int = 0,
    day: Day | None = None,
    stop: asyncio.Event | None = None,
    patience_s: float = PATIENCE_S,
    at_once: int = AT_ONCE,
    clock: Callable[[], float] = time.monotonic,
) -> LoadReport:
    """Sells for `duration_s` seconds, then sends every reversal that is pending, for at most `patience_s` seconds.

    Either `concurrency` (sales in flight) or `rate` (sales per second). It goes on through a dying host: reconnects, signs on again,
    reverses. At a rate the sales that were due and had to wait are sent after the duration, also for at most `patience_s` seconds.
    LoadError when it cannot begin.

    A terminal closes its batch when it is full, or after `batch_sales` sales (0: only then). With a `day` the terminals do of everything, and
    what is said of sales holds for all of it. `stop` ends the selling before its time.
    `at_once` terminals sign on, or recover, side by side: more of them where it is their lines that take long, and not the host.
    """
    if (concurrency is None) == (rate is None):
        raise LoadError("load: say either a concurrency or a rate")
    if not tills or not cards:
        raise LoadError("load: needs at least one terminal and one card")
    if concurrency is not None and not 0 < concurrency <= len(tills):
        raise LoadError(f"load: concurrency {concurrency} needs between 1 and {len(tills)} (one request per terminal)")
    if rate is not None and rate <= 0:
        raise LoadError("load: rate must be more than 0 per second")
    load = _Load(tills, cards, duration_s, patience_s, clock, batch_sales=batch_sales, at_once=at_once, day=day)
    if stop is None:
        return await load.run(concurrency, rate, on_progress)
    stopping = asyncio.ensure_future(load.end_when(stop))
    try:
        return await load.run(concurrency, rate, on_progress)
    finally:
        stopping.cancel()


class _Load:
    def __init__(
        self,
        tills: Sequence[Till],
        cards: Sequence[Card],
        duration_s: float,
        patience_s: float,
        clock: Callable[[], float],
        *,
        batch_sales: int,
        at_once: int,
        day: Day | None,
    ) -> None:
        self.tills = tills
        self.at_once = at_once
        self.day = day
        self.batch_sales = batch_sales
        self.schedule: Schedule | None = None
        self.duration_s = duration_s
        self.patience_s = patience_s
        self.tally = Tally()
        self.clock = clock  # not the loop's: uvloop's knows milliseconds only
        self.began_s = self.ends_s = 0.0
        self._swipes: itertools.cycle[tuple[Track2, str]] = itertools.cycle([(world.track2(c), c.pin) for c in cards])
        self._amounts = itertools.cycle(range(100, 10_000, 37))

    async def run(
        self, concurrency: int | None, rate: float | None, on_progress: Callable[[Progress], None] | None
    ) -> LoadReport:
        usable = await self._sign_all_on()
        self.began_s = self.clock()
        self.ends_s = self.began_s + self.duration_s
        schedule = self.schedule = None if rate is None else Schedule(rate, self.duration_s)
        if schedule is not None:
            workers = [self._on_schedule(till, schedule) for till in usable]
        else:
            free = deque(usable)
            workers = [self._in_turn(free) for _ in range(min(concurrency or 1, len(usable)))]
        ticker = asyncio.ensure_future(self._tick(on_progress)) if on_progress else None
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
        finally:
            if ticker is not None:
                ticker.cancel()
        elapsed_s = self.clock() - self.began_s
        await self._recover_all()
        pending = sum(till.pending for till in self.tills)
        return self.tally.report(
            terminals=len(usable),
            duration_s=elapsed_s,
            pending=pending,
            schedule=schedule,
            kinds=self.day.kinds if self.day else None,
            entries=self.day.entries if self.day else None,
        )

    async def end_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.ends_s = self.clock()
        if self.schedule is not None:
            self.schedule.cut()

    async def _in_turn(self, free: deque[Till]) -> None:
        """Closed loop: one sale after the other, each at the terminal that has rested longest."""
        pause_s = _FIRST_PAUSE_S
        while free and self.clock() < self.ends_s:
            till = free.popleft()
            result = await self._sell(till)
            self.tally.count(result, result.duration_us)
            if not _hopeless(result):
                free.append(till)
            pause_s = await self._rest(till, result, pause_s)

    async def _on_schedule(self, till: Till, schedule: Schedule) -> None:
        """Open loop: the next sale at its moment, or at once when that is past."""
        pause_s = _FIRST_PAUSE_S
        while self.clock() < self.ends_s + self.patience_s:
            moment_s = schedule.take()
            if moment_s is None:
                return
            due_s = self.began_s + moment_s
            if (early_s := due_s - self.clock()) > 0:
                await asyncio.sleep(early_s)
            begun_s = self.clock()
            schedule.begin(begun_s - self.began_s)
            result = await self._sell(till)
            # A loop's timers may be half a millisecond early: what has begun before its moment counts from there.
            self.tally.count(result, int((self.clock() - min(due_s, begun_s)) * 1e6))
            if _hopeless(result):
                return
            pause_s = await self._rest(till, result, pause_s)

    async def _sell(self, till: Till) -> SwipeResult:
        if till.batch_full or 0 < self.batch_sales <= till.batch_size:
            closed = await till.close_batch()
            self.tally.batches_closed += closed.balanced
        if self.day is not None:
            return await self.day.next(till)
        track, pin = next(self._swipes)
        return await till.swipe(track, next(self._amounts), pin)

    async def _rest(self, till: Till, result: SwipeResult, pause_s: float) -> float:
        """After a sale that was not sent: a reversal that is stuck is tried again, then a pause that grows. The next pause's length."""
        if not result.refused:
            return _FIRST_PAUSE_S
        if till.pending:
            self._count_reversal(await till.recover())
        await asyncio.sleep(min(pause_s, max(0.0, self.ends_s - self.clock())))
        return min(2 * pause_s, _LONGEST_PAUSE_S)

    def _count_reversal(self, outcome: ReversalOutcome | TransactionOutcome | Refused | None) -> None:
        self.tally.reversed += isinstance(outcome, ReversalOutcome) and outcome.ended

    async def _sign_all_on(self) -> list[Till]:
        """The terminals that are ready to sell; LoadError when none is."""
        gate, usable, reasons = asyncio.Semaphore(self.at_once), [], []

        async def ready(till: Till) -> None:
            async with gate:
                ahead: list[ReversalOutcome] = []
                hindrance = await till.make_ready(ahead)
            self.tally.reversed += sum(outcome.ended for outcome in ahead)
            if hindrance is None:
                usable.append(till)
            else:
                reasons.append(hindrance.reason)

        await asyncio.gather(*(ready(till) for till in self.tills))
        if not usable:
            raise LoadError(f"load: no terminal could sign on: {reasons[0]}")
        return usable

    async def _recover_all(self) -> None:
        """Every pending reversal, until it has gone through or the patience is used up."""
        gate, deadline_s = asyncio.Semaphore(self.at_once), self.clock() + self.patience_s

        async def recover(till: Till) -> None:
            pause_s = _FIRST_PAUSE_S
            while till.pending and self.clock() < deadline_s:
                async with gate:
                    try:
                        await till.link.connect_within(deadline_s - self.clock())
                    except LinkError:
                        return
                    self._count_reversal(await till.recover())
                if till.pending:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

        await asyncio.gather(*(recover(till) for till in self.tills if till.pending))

    async def _tick(self, on_progress: Callable[[Progress], None]) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            on_progress(self.tally.progress(self.clock() - self.began_s))


def _hopeless(result: SwipeResult) -> bool:
    """The host will not let this terminal sell, now or later."""
    code = RESPONSE_CODES.get(result.rc)
    return bool(result.refused) and code is not None and not code.retry_can_help
