"""One power cut: sell, cut at a random moment, start from a copy of the disk, and count."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import time
from contextlib import closing

import msgspec

import world
from bench.errors import BenchError
from bench.stack import lianji
from contracts import subjects
from contracts.journal import record_decoder
from contracts.states import State
from lianji import options, stackfile
from lianji.recovery.paths import Paths
from lianji.recovery.witnesses import Witnesses, read_witnesses
from reliability.power.machine import Machine, switch_off
from runtime.jetstream import JetStreamLog
from runtime.log import Position, read_groups

DATABASES = ("receipts", "settlement")
PATIENCE_S = 120.0


class Trial(msgspec.Struct, kw_only=True):
    """What one cut did."""

    number: int
    after_s: float
    """Of selling."""
    answered: int
    """Sales that were answered in this trial."""
    acknowledged: int
    """Approvals that terminals hold, of all trials on this disk so far."""
    lost: int
    """Of those, what no journal holds approved."""
    behind: int
    """Groups by which projections were behind their journal at the start."""
    ahead: int
    ready_s: float
    """From switching on to the first swipe that can be taken."""
    held: bool | None = None
    """`lianji verify`, over all that has happened on this disk so far; None when it was not asked after this cut."""
    said: str = ""
    """What was wrong."""

    @property
    def good(self) -> bool:
        return self.held is not False and not self.lost and not self.ahead and not self.said


def cut(
    machine: Machine, number: int, chance: random.Random, *, longest_s: float, concurrency: int, verify: bool
) -> Trial:
    """Raises BenchError when the trial could not be made; what it finds is in the result."""
    before = _answered(read_witnesses(machine.data_dir))
    after_s = chance.uniform(0.0, longest_s)
    load = machine.sell(concurrency)
    time.sleep(after_s)  # the moment is what is tried
    machine.cut_power()
    switch_off(load)
    machine.revive()
    witnesses = read_witnesses(machine.data_dir)
    checkpoints = _checkpoints(machine)
    trial = Trial(
        number=number,
        after_s=1.0 + after_s,
        answered=_answered(witnesses) - before,
        acknowledged=sum(seen.approved for seen in witnesses.seen.values()),
        lost=0,
        behind=0,
        ahead=0,
        ready_s=0.0,
    )
    try:
        trial.ready_s = machine.start()
    except BenchError as error:
        trial.said = str(error)
        return trial
    ends = asyncio.run(_count(machine, witnesses, trial))
    for shard, end in ends.items():
        for checkpoint in (one.get(shard, 0) for one in checkpoints.values()):
            trial.behind += max(end - checkpoint, 0)
            trial.ahead += max(checkpoint - end, 0)
    if verify:
        _verify(machine, trial)
    return trial


def _verify(machine: Machine, trial: Trial) -> None:
    done = subprocess.run(
        lianji("verify", "--json", "--data-dir", str(machine.data_dir), "--patience", f"{PATIENCE_S:g}"),
        capture_output=True,
        text=True,
        check=False,
    )
    trial.held = done.returncode == 0
    if not trial.held:
        trial.said = (done.stderr or done.stdout).strip()[-300:]


def _answered(witnesses: Witnesses) -> int:
    return sum(bool(seen.response_code) for seen in witnesses.seen.values())


async def _count(machine: Machine, witnesses: Witnesses, trial: Trial) -> dict[str, int]:
    """Each journal's end, by shard; what terminals hold and journals do not is noted in the trial."""
    broker = options.broker_of_stack(stackfile.running(machine.data_dir))
    standing: set[str] = set()
    ends: dict[str, int] = {}
    async with options.connected(broker, "power") as bus:
        for shard in range(world.SHARDS):
            store, paths = JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard)), Paths()
            ends[str(shard)] = last = await store.last_sequence()
            async for group in read_groups(store, Position(), last):
                for raw in group.group.records:
                    paths.take(record_decoder.decode(bytes(raw)))
            standing |= {id_ for id_, path in paths.of.items() if path.state in (State.APPROVED, State.SETTLED)}
    trial.lost = sum(seen.approved and seen.id not in standing for seen in witnesses.seen.values())
    return ends


def _checkpoints(machine: Machine) -> dict[str, dict[str, int]]:
    """Database → shard → group that it holds, as the disk has it."""
    found = {}
    for name in DATABASES:
        path = machine.data_dir / f"{name}.db"
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT partition, sequence FROM checkpoints").fetchall()
        found[name] = {str(shard): int(sequence) for shard, sequence in rows}
    return found
