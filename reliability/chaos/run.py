"""One run: terminals sell, a fault is drawn and struck, what answers again is timed, and from time to time the books are judged."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

import world
from bench.stack import lianji
from lianji import overlay, stackfile
from lianji.errors import CliError
from lianji.faults.processes import restart
from reliability.chaos.acks import FILE, AckFile, AckWatch
from reliability.chaos.deck import drawn
from reliability.chaos.ends import Ends, compare
from reliability.chaos.fault import EVERY_SERVICE, EVERYBODY, ON_THE_BROKER, Arena, Fault, Over, now_s
from reliability.chaos.health import answers_since
from reliability.chaos.proxy import Proxy
from reliability.chaos.report import Judged, Report, Row
from reliability.chaos.stalls import Stalls
from reliability.chaos.traffic import Traffic
from reliability.chaos.wire import Frames, NatsMessages

NATS_URL = "LIANJI_NATS_URL"
RATE = 80.0
"""Sales a second, of all terminals."""
GIVE_UP_S = 90.0
"""What has not come back by then will not."""
CALM_S = 0.5
"""Between a fault's healing and the next one, for sales to be in flight again."""
QUIET_S, VERIFY_S = 120.0, 900.0
"""For the terminals to end what they have begun, and for the check of the books."""

Say = Callable[[str], None]


class Plan(NamedTuple):
    """What a run is told."""

    seed: int
    minutes: float
    faults: Sequence[Fault]
    most: int = 0
    """Faults after which it ends; 0: when the time is over."""
    rate: float = RATE
    judge_every_min: float = 3.0


class Verdict(msgspec.Struct):
    """What `lianji verify --json` prints, as far as it matters here."""

    class Invariant(msgspec.Struct):
        held: bool

    invariants: dict[str, Invariant]


async def chaos(data_dir: Path, plan: Plan, say: Say, stop: Callable[[], None]) -> Report:
    """One run on the stack that runs on `data_dir`, and `stop` of that stack; CliError when it cannot be had."""
    acks = AckFile(data_dir / FILE)
    try:
        async with _arena(data_dir, plan.seed, acks, stop) as arena:
            traffic = Traffic(data_dir, arena.terminals.port, rate=plan.rate, seed=plan.seed)
            stalls = Stalls()
            try:
                async with stalls.watch(data_dir):
                    return await _Run(arena, traffic, stalls, plan, say).run()
            finally:
                traffic.shut()
    finally:
        acks.close()


@asynccontextmanager
async def _arena(data_dir: Path, seed: int, acks: AckFile, stop: Callable[[], None]) -> AsyncIterator[Arena]:
    """Proxies in all lines, and every service started again behind its own. In the end the stack is stopped."""
    stack = stackfile.running(data_dir)
    terminals = Proxy(stack.gateway_host, stack.gateway_port, Frames, seed=seed)
    host, _, port = stack.nats_url.removeprefix("nats://").rpartition(":")
    lines = {
        name: Proxy(host, int(port), NatsMessages, seed=seed + number, watch=lambda: AckWatch(acks))
        for number, name in enumerate(ON_THE_BROKER, 1)
    }
    arena = Arena(data_dir, terminals, lines, acks, random.Random(seed))
    try:
        await terminals.start()
        for name, line in lines.items():
            await line.start()
            overlay.put(data_dir, name, NATS_URL, f"nats://127.0.0.1:{line.port}")
        await asyncio.gather(*(restart(arena.target, name) for name in lines))
        await asyncio.gather(*(answers_since(arena, name, 0, GIVE_UP_S) for name in EVERYBODY))
        yield arena
    finally:
        await asyncio.to_thread(stop)  # before the proxies go: what drains has something to say to the broker
        await asyncio.gather(*(proxy.stop() for proxy in (terminals, *lines.values())))


class _Run:
    def __init__(self, arena: Arena, traffic: Traffic, stalls: Stalls, plan: Plan, say: Say) -> None:
        self._arena = arena
        self._traffic = traffic
        self._stalls = stalls
        self._plan = plan
        self._say = say
        self._rows = {f.row: Row(fault=f.row, of_a_process=f.of_a_process, within_s=f.back_s) for f in plan.faults}
        self._report = Report(seed=plan.seed, minutes=plan.minutes, rows=list(self._rows.values()))
        self._struck: list[tuple[int, Row]] = []
        """When each fault began, Unix milliseconds, and its row."""
        self._known: set[str] = set()
        """Subjects of differences that have been told."""

    async def run(self) -> Report:
        """Until the time is over or all faults are struck; every part of it ends with the books judged."""
        deck, ends_s = drawn(self._plan.faults, self._plan.seed), now_s() + self._plan.minutes * 60
        while True:
            await self._part(deck, min(now_s() + self._plan.judge_every_min * 60, ends_s))
            await self._judge()
            if now_s() >= ends_s or self._all_struck or self._report.complaints:
                return self._told()

    async def _part(self, deck: Iterator[Fault], until_s: float) -> None:
        """Faults under load, and then the terminals come to rest."""
        selling = asyncio.create_task(self._traffic.sell())
        try:
            await self._traffic.sold_since(now_s(), GIVE_UP_S)
            # After a fault that is not over nothing that follows would say anything.
            while now_s() < until_s and not self._all_struck and await self._strike(next(deck)):
                continue
            self._traffic.stop()
            await asyncio.wait_for(selling, QUIET_S)
        except TimeoutError:
            self._complain("the terminals do not sell, or do not come to rest")
        finally:
            selling.cancel()
            await asyncio.gather(selling, return_exceptions=True)
        if not selling.cancelled() and (error := selling.exception()) is not None:
            raise error

    @property
    def _all_struck(self) -> bool:
        return 0 < self._plan.most <= len(self._struck)

    def _told(self) -> Report:
        report, traffic = self._report, self._traffic
        report.sales, report.approved, report.unknown = traffic.sales, traffic.approved, traffic.unknown
        report.batches_closed, report.kinds = traffic.closed, traffic.kinds
        return report

    def _complain(self, what: str) -> None:
        self._report.complaints.append(what)
        self._say(f"  {what}")

    async def _strike(self, fault: Fault) -> bool:
        """Whether everything came back."""
        row, before, began_s = self._rows[fault.row], self._arena.pids(), now_s()
        self._stalls.since()
        self._struck.append((time.time_ns() // 1_000_000, row))
        try:
            over = await fault.strike(self._arena)
            back_s = await self._back(fault, over.at_s, before) - over.at_s
            stalled = str(self._stalls.since())
            self._tell(fault, over, over.at_s - began_s, back_s, stalled)
            await self._calm(fault, before)
        except (CliError, TimeoutError) as error:
            row.never_back += 1
            self._complain(f"{fault.row}: {error or f'not everybody answers within {GIVE_UP_S:g} s'}")
            return False
        row.back_s.append(round(back_s, 3))
        row.stalled += bool(stalled)
        return True

    async def _back(self, fault: Fault, over_s: float, before: dict[str, int]) -> float:
        """When every route had sold again, and whoever the fault touches had answered; TimeoutError."""
        former = {name: before[name] for name in fault.ends}
        answers = (
            answers_since(self._arena, name, former.get(name, 0), GIVE_UP_S) for name in {*fault.ends, *fault.checks}
        )
        return max(await asyncio.gather(self._traffic.sold_since(over_s, GIVE_UP_S), *answers))

    def _tell(self, fault: Fault, over: Over, took_s: float, back_s: float, stalled: str) -> None:
        detail = f" ({over.detail})" if over.detail else ""
        late = "" if back_s <= fault.back_s else f", which is more than {fault.back_s:g} s"
        why = f"; the machine stood still: {stalled}" if stalled else ""
        self._say(f"{len(self._struck):4}  {fault.row}{detail}: {took_s:.1f} s, back after {back_s:.2f} s{late}{why}")

    async def _calm(self, fault: Fault, before: dict[str, int]) -> None:
        """Until everybody answers, for the next fault is to meet a whole stack; and nobody may have ended whom the fault spares."""
        await asyncio.gather(*(answers_since(self._arena, name, 0, GIVE_UP_S) for name in EVERY_SERVICE))
        for name, pid in self._arena.pids().items():
            if pid != before[name] and name not in fault.ends:
                self._complain(f"{fault.row}: {name} ended by itself; look in its log")
        await asyncio.sleep(CALM_S)

    async def _judge(self) -> None:
        began_s = now_s()
        self._arena.acks.flush()
        held = await self._verified()
        try:
            ends = await compare(self._arena.data_dir, world.built_in())
        except CliError as error:
            self._complain(f"the two ends cannot be compared: {error}")
            return
        self._blame(ends)
        judged = Judged(
            after_faults=len(self._struck),
            took_s=round(now_s() - began_s, 1),
            held=held,
            sales=ends.sales,
            approved=ends.approved,
            acknowledged=ends.acknowledged,
            not_judged=ends.not_judged,
            differences=[f"{found.subject}: {found.what}" for found in ends.differences],
        )
        self._report.judged.append(judged)
        broken = ", ".join(name for name, well in held.items() if not well)
        self._say(
            f"      judged after {judged.after_faults} faults: {ends.sales:,} sales, {ends.acknowledged:,} acknowledged appends, "
            f"{len(ends.differences)} differ; {f'BROKEN: {broken}' if broken else f'{len(held)} invariants held'} ({judged.took_s:g} s)"
        )

    def _blame(self, ends: Ends) -> None:
        """Counts what is lost and doubled at the fault that was the last to begin before it."""
        for found in ends.differences:
            if found.subject in self._known or not self._struck:
                continue
            self._known.add(found.subject)
            row = next((row for at_ms, row in reversed(self._struck) if not found.at_ms or at_ms <= found.at_ms), None)
            row = row or self._struck[0][1]
            row.lost += found.lost
            row.doubled += found.doubled
            self._say(f"  {found.subject}: {found.what} (during {row.fault})")

    async def _verified(self) -> dict[str, bool]:
        """`lianji verify`: each invariant and whether it held; empty when nothing could be read."""
        command = lianji("verify", "--json", "--patience", "60", "--data-dir", str(self._arena.data_dir))
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), VERIFY_S)
        except TimeoutError:
            self._complain(f"lianji verify: not done within {VERIFY_S:g} s")
            return {}
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            verdict = msgspec.json.decode(out.splitlines()[-1] if out.strip() else b"", type=Verdict)
        except msgspec.MsgspecError:
            self._complain(f"lianji verify: exit {process.returncode}: {err.decode().strip()[-500:]}")
            return {}
        if process.returncode != 0:
            (self._arena.data_dir / "verdict.json").write_bytes(out)
        return {name: invariant.held for name, invariant in verdict.invariants.items()}
