"""One run: a stack on a directory, traffic with errors provoked all through, quiet, the invariants, the search; then leaks on purpose."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

import world
from bench.stack import Stack
from contracts import subjects
from contracts.codec import decoder
from contracts.questions import ProjectionStatus
from leaks import plant
from leaks.command import json_of
from leaks.forced import RECORD, TRANSACTIONS
from leaks.frames import send_all
from leaks.paper import ask_for_paper, run_commands
from leaks.parts import Parts, parts_of
from leaks.questions import ask_all
from leaks.result import Result, counted, missing, provoked
from leaks.traffic import Mix, Tally, Traffic, open_tills, settle_down
from lianji import stackfile
from lianji.broker import LocalBroker
from lianji.stackfile import StackFile
from runtime.bus import Bus, BusError
from runtime.jetstream import JetStreamLog
from terminal_sim import Till

Say = Callable[[str], None]

ROOT = Path(__file__).resolve().parent.parent
PAUSE_S = 0.5
"""Between two passes of what goes on beside the traffic."""
SETTLE_S, QUIET_S = 120.0, 120.0
"""Patience: of the terminals with their reversals, and with the projections."""
LARGE_PASS, SMALL_PASS = 1.0, 0.12
"""The share of all damaged questions that is asked in a pass."""
PAPER, COMMANDS = 15, 1
"""Sales whose paper is asked for in a pass; sales that are looked up by commands."""
_status = decoder(ProjectionStatus)


def environment(record: Path, transactions: int) -> dict[str, str]:
    """What makes the services of a stack fail (`leaks.armed`). The failures count what happens in `record`."""
    paths = [str(ROOT / "leaks" / "inside"), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        RECORD: str(record),
        TRANSACTIONS: str(transactions),
    }


def run(directory: Path, *, transactions: int, seed: int, say: Say) -> Result:
    """The whole run under `directory`, which is to be thrown away: there is card data in it at the end, on purpose."""
    started = time.monotonic()
    data_dir, record = directory / "data", directory / "record"
    record.mkdir(parents=True)
    result = Result(transactions=transactions, seed=seed)
    say("starting the stack, whose services fail now and then")
    with Stack(data_dir, environment=environment(record, transactions)):
        uvloop.run(_disturbed(data_dir, record, result, say))
        result.provoked = provoked(record)
        say("lianji verify")
        _verify(data_dir, result)
        say("lianji scan")
        _scan(data_dir, result)
        result.core_dumps = [str(path.relative_to(data_dir)) for path in data_dir.rglob("core*")]
    say("planting a leak in a stream, a log, a span and a row")
    result.planted = dict(
        [
            uvloop.run(_plant_message(data_dir)),
            plant.in_a_log(data_dir),
            plant.in_a_span(data_dir),
            plant.in_a_row(data_dir),
        ]
    )
    _scan_planted(data_dir, result)
    result.took_s = round(time.monotonic() - started, 1)
    return result


async def _disturbed(data_dir: Path, record: Path, result: Result, say: Say) -> None:
    """The traffic, the damage beside it, and the way back to quiet."""
    stack = stackfile.running(data_dir)
    traffic = Traffic(Mix(result.seed), result.transactions, lambda: not missing(provoked(record)))

    def progress(tally: Tally) -> None:
        say(f"{tally.transactions:,} transactions, {tally.outcomes['00']:,} approved")

    async with parts_of(data_dir) as parts:
        with ExitStack() as leaving:
            tills = open_tills(parts, stack.gateway_host, stack.gateway_port, data_dir)
            for till in tills:
                leaving.callback(till.shut)
            damage = _Damage(parts, stack, traffic, tills, result)
            async with asyncio.TaskGroup() as group:
                group.create_task(traffic.run(tills, progress))
                for work in (damage.frames, damage.questions, damage.paper):
                    group.create_task(damage.until_over(work))
            say("quiet: reversals, projections")
            result.pending = await settle_down(tills, SETTLE_S)
            result.stopped = await _caught_up(parts)
            await run_commands(data_dir, Traffic.sold(tills)[-COMMANDS:], damage.printed)
    result.transactions = traffic.tally.transactions
    result.outcomes, result.done = counted(traffic.tally.outcomes), counted(traffic.tally.done)
    damage.report()


class _Damage:
    """What goes on beside the traffic, again and again until that is over, and once at least."""

    def __init__(self, parts: Parts, stack: StackFile, traffic: Traffic, tills: list[Till], result: Result) -> None:
        self._parts, self._stack, self._traffic, self._tills, self._result = parts, stack, traffic, tills, result
        self._share = min(LARGE_PASS, max(SMALL_PASS, result.transactions / 10_000))
        self.sent: Counter[str] = Counter()
        self.frame_answers: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.printed: Counter[str] = Counter()

    async def until_over(self, work: Callable[[int], Awaitable[None]]) -> None:
        seed = self._result.seed
        while True:
            seed += 1
            await work(seed)
            if self._traffic.over:
                return
            await asyncio.sleep(PAUSE_S)

    async def frames(self, seed: int) -> None:
        await send_all(self._stack.gateway_host, self._stack.gateway_port, seed, self.sent, self.frame_answers)

    async def questions(self, seed: int) -> None:
        await ask_all(self._parts, seed, self._share, self.asked, self.answers)

    async def paper(self, seed: int) -> None:
        sold = self._traffic.sold(self._tills)
        await ask_for_paper(self._parts, sold, seed, PAPER, self.printed)

    def report(self) -> None:
        self._result.frames, self._result.frame_answers = counted(self.sent), counted(self.frame_answers)
        self._result.questions, self._result.question_answers = counted(self.asked), counted(self.answers)
        self._result.printed = counted(self.printed)


async def _caught_up(parts: Parts) -> str:
    """Empty once both projections stand at the journals' ends; else, when the patience is used up, who does not and why."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + QUIET_S
    while True:
        behind = [
            await _behind(parts.asking(subject), subject)
            for subject in (subjects.RECEIPTS_STATUS, subjects.SETTLEMENT_STATUS)
        ]
        if not any(behind) or loop.time() > give_up:
            return "; ".join(filter(None, behind))
        await asyncio.sleep(0.2)


async def _behind(bus: Bus, subject: str) -> str:
    try:
        status = _status.decode(await bus.request(subject, b"", timeout_s=5))
        for shard in range(world.built_in().shards):
            store = JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard))
            last, done = await store.last_sequence(), status.checkpoints.get(str(shard), 0)
            if done < last:
                return f"{subject}: shard {shard} at {done} of {last} {status.stopped}"
    except BusError as error:
        return f"{subject}: {type(error).__name__}"
    return ""


def _verify(data_dir: Path, result: Result) -> None:
    verdict = json_of(data_dir, "verify", "--patience", "120")
    result.invariants = {name: bool(row["held"]) for name, row in verdict["invariants"].items()}
    result.waiting_at_terminals = len(verdict["waiting_at_terminals"])


def _scan(data_dir: Path, result: Result) -> None:
    report = json_of(data_dir, "scan")
    result.found, result.finds, result.searched = report["found"], report["finds"], report["searched"]


async def _plant_message(data_dir: Path) -> plant.Planted:
    """The stack's broker would let nobody make a stream. Another one over its directory, which takes everybody, does."""
    broker = LocalBroker(data_dir / "broker")
    await asyncio.to_thread(broker.start)
    try:
        bus = await Bus.connect(broker.url, "leaks", wait_s=10)
        planted = await plant.in_a_stream(bus)
        await bus.close()
        return planted
    finally:
        await asyncio.to_thread(broker.stop)


def _scan_planted(data_dir: Path, result: Result) -> None:
    finds: list[dict[str, Any]] = json_of(data_dir, "scan")["finds"]
    result.found_of_planted = {find["place"]: find["kind"] for find in finds if find["place"] in result.planted}
    others = {find["place"] for find in finds} - result.planted.keys()
    result.found_beside_planted = sorted(place for place in others if not plant.is_beneath(place))
