"""One day: the plan is played, everything is healed, the terminals finish, and the books are judged."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter as Times
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import msgspec

import world
from runtime import collecting, escaped, logs
from runtime.log import GroupLog
from runtime.ownership import Owner
from simulation import cast
from simulation.broker.streams import Store
from simulation.bugs.bug import SOUND, Bug
from simulation.chance import virtual
from simulation.faults import FAULTS
from simulation.genesis import first_store
from simulation.judge import Breach, Judge
from simulation.loop import START_NS, Loop, Stuck
from simulation.plan import DAY_MS, Entry, Plan
from simulation.recorder import Recorder
from simulation.stage import NotReady, Stage
from simulation.step import Arguments
from simulation.tills import Counter

AFTER_MS = 500
"""From the last entry to the healing."""
FINISH_S = 120.0
"""Within this the terminals have ended what they had begun."""
RECOVERY_S = 5.0
"""From the healing on; a sale that began within it may still be refused, the next one not."""
REST_S = 1.0
"""In which the projections follow."""
LAST: dict[str, tuple[str, Arguments]] = {
    world.CONSUMPTION: ("sale", {"card": "load-debit-002", "amount": 1_00}),
    world.TRANSFER: ("transfer", {"card": "load-debit-002", "target": "load-credit-002", "amount": 1_00, "lost": 0}),
}
"""What a terminal does last, by its role, and what must be approved: by cards of which the day has made nothing, so that no limit of theirs is used up."""
THOROUGH = 4
"""One seed in so many is judged with the projections made again."""
GROUP_RECORDS = 2
"""Of a group at most: more wait for the next."""
SNAPSHOT_EVERY = 8
"""Groups between two snapshots of an owner."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours is made there
_ENVIRONMENT = {"LIANJI_WORLD": "test", "OTEL_SDK_DISABLED": "true"}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a day."""

    plan: Plan
    breaches: tuple[Breach, ...]
    transactions: int
    """Sales in the journals."""
    steps: int
    """Callbacks that ran."""
    virtual_s: float
    faults: dict[str, int]
    lines: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return not self.breaches


_pvv = functools.lru_cache(maxsize=None)(world.pvv)


def _nothing(*_: object, **__: object) -> None:
    return


@contextmanager
def _one_process() -> Iterator[None]:
    """What a service does to its Python process as a whole, and several in one must not."""
    with ExitStack() as stack:
        for module, name, instead in (
            (collecting, "collect_seldom", _nothing),
            (logs, "configure", _nothing),
            (escaped, "install", _nothing),
            (escaped, "watch", _nothing),
        ):
            stack.enter_context(mock.patch.object(module, name, instead))
        stack.enter_context(mock.patch.dict(os.environ, _ENVIRONMENT))
        # Snapshots, and groups that hold not all that waits, are made often enough to be met.
        stack.enter_context(mock.patch.object(GroupLog, "GROUP_RECORDS", GROUP_RECORDS))
        stack.enter_context(mock.patch.dict(Owner.__init__.__kwdefaults__ or {}, snapshot_every=SNAPSHOT_EVERY))
        # A card's PVV is the same in every life of a bank.
        stack.enter_context(mock.patch.object(world, "pvv", _pvv))
        yield


@contextmanager
def _folder() -> Iterator[Path]:
    """Of the day's databases and terminals; in memory, where there is such a place: nothing of it outlives the day."""
    folder = tempfile.mkdtemp(prefix="lianji-day-", dir=_MEMORY if _MEMORY.is_dir() else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


def play(plan: Plan, *, record: bool = False, bug: Bug = SOUND) -> Result:
    """Plays a day from its beginning to the verdict. A bug is in the product, and not in whoever judges it."""
    store, loop = first_store().copy(), Loop()
    recorder = Recorder(loop, keeps=record)
    loop.set_exception_handler(lambda _, what: recorder.told("loop", type(what.get("exception")).__name__))
    collecting = gc.isenabled()
    gc.disable()  # what is freed, and when, must not depend on what ran before
    try:
        with _one_process(), _folder() as folder, virtual(loop, plan.seed), recorder.listening():
            stage = Stage(loop, store, random.Random(f"day {plan.seed}"), folder, recorder)
            breaches = _run(loop, stage, plan, bug)
            result = Result(
                plan=plan,
                breaches=tuple(breaches),
                transactions=_sales(store),
                steps=loop.steps,
                virtual_s=(loop.now_ns - START_NS) / 1e9,
                faults=dict(Times(entry.name for entry in plan.entries if not entry.terminal)),
                lines=tuple(recorder.lines),
            )
            stage.close()
            loop.abandon()
            del stage
            _bury(loop)
    finally:
        if collecting:
            gc.enable()
    return result


def _bury(loop: Loop) -> None:
    """Frees the day's dead. Their `finally` blocks run now, and find a loop on which nothing happens."""
    asyncio._set_running_loop(loop)
    try:
        with mock.patch.object(sys, "unraisablehook", _nothing), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
            gc.collect(0)  # and what they have begun in their last moment
    finally:
        asyncio._set_running_loop(None)


def _run(loop: Loop, stage: Stage, plan: Plan, bug: Bug) -> list[Breach]:
    try:
        with bug.switched_on():
            breaches = loop.run(_day(stage, plan))
        breaches += [Breach("service", wronged) for wronged in stage.wronged]
        return breaches + loop.run(Judge(stage, thorough=plan.seed % THOROUGH == 0).verdict())
    except (Stuck, NotReady) as error:
        return [Breach("rest", f"{type(error).__name__}: {error}")]


async def _day(stage: Stage, plan: Plan) -> list[Breach]:
    stage.add_services(cast.RULES)
    names = [cast.BROKER, *cast.SERVICES]
    stage.chance.shuffle(names)
    for name in names:
        stage.loop.call_later(stage.chance.random() * 0.5, stage.start, name)
    await stage.until_ready()
    counters = {tid: Counter(stage, tid) for tid in sorted({entry.terminal for entry in plan.entries} - {""})}
    for counter in counters.values():
        stage.start(counter.name)
    for entry in plan.entries:
        stage.loop.call_later(entry.at_ms / 1000, _enter, stage, counters, entry)
    await asyncio.sleep((DAY_MS + AFTER_MS) / 1000)
    stage.heal()
    await stage.until_ready()
    there = [counter for counter in counters.values() if counter.name not in stage.gone]
    breaches = await _finish(stage, there)
    await asyncio.sleep(REST_S)
    return breaches


def _enter(stage: Stage, counters: dict[str, Counter], entry: Entry) -> None:
    if entry.terminal:
        counters[entry.terminal].order(entry.name, entry.arguments)
        return
    stage.told("fault", f"{entry.name} {' '.join(f'{k}={v}' for k, v in entry.arguments.items())}")
    FAULTS[entry.name].do(stage, entry.arguments)


async def _finish(stage: Stage, counters: list[Counter]) -> list[Breach]:
    """Every terminal ends what it has begun, does one thing more, and closes its batch: within RECOVERY_S all must go well."""
    recovered_s = stage.loop.time() + RECOVERY_S
    waiting = counters
    while waiting:
        began_s = stage.loop.time()
        for counter in waiting:
            counter.order("recover", {})
            counter.order(*LAST[counter.role])
        if breaches := await _until_idle(stage, waiting):
            return breaches
        waiting = [counter for counter in waiting if "→ 00" not in counter.said]
        if waiting and began_s > recovered_s:
            return [Breach("service", f"{c.name}: the last thing, with everything whole: {c.said}") for c in waiting]
    for counter in counters:
        counter.order("close", {})
    return await _until_idle(stage, counters) or [
        Breach(
            "service", f"{counter.name}: a close, with everything whole: {counter.said}; owes {counter.owes} results"
        )
        for counter in counters
        if "→ 1" not in counter.said or counter.owes
    ]


async def _until_idle(stage: Stage, counters: list[Counter]) -> list[Breach]:
    give_up = stage.loop.time() + FINISH_S
    while not all(counter.idle for counter in counters):
        if stage.loop.time() > give_up:
            return [
                Breach("rest", f"{c.name}: not done {FINISH_S:g} s after the healing") for c in counters if not c.idle
            ]
        await asyncio.sleep(0.1)
    return []


def _sales(store: Store) -> int:
    """Intents in the journals."""
    return sum(
        message.data.count(b'"type":"intent"')
        for stream in store.streams.values()
        if stream.name.startswith("JOURNAL_")
        for message in stream.messages.values()
    )
