"""A rolling restart: one process after the other is replaced while terminals sell.

`lianji restart` writes the order beside the stack's file and wakes the supervisor (SIGUSR1), which carries it out and writes down how far it
is. Files and a signal, as with `lianji down`: whoever may do that is the stack's user.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from lianji import stackfile
from lianji.broker import BrokerError
from lianji.stack import BROKER, COLLECTOR, SERVICES, Stack
from lianji.supervisor import NotReplacedError

ALL = "all"
ORDER = ("issuer-sim", "auth-a", "auth-b", "terminal-gw", "receipts", "settlement", COLLECTOR, BROKER)
"""From the banks outwards, then what follows, then the ground that all stand on. Each is ready before the next one goes."""
assert {name for name, _ in SERVICES} < set(ORDER)  # noqa: S101 - a service more needs its place here


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be restarted."""

    id: str
    names: tuple[str, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One process that has been replaced."""

    name: str
    pid: int
    seconds: float
    """From the order to its successor's being ready and its own end."""


class Report(msgspec.Struct, kw_only=True):
    """How far an order is."""

    id: str
    steps: list[Step] = []
    over: bool = False
    error: str = ""


def report_path(data_dir: Path) -> Path:
    return data_dir / "run" / "restarted.json"


def write(path: Path, what: Order | Report) -> None:
    """Atomically, for the other side may look at any moment."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(what))
    partial.replace(path)


def report_of(data_dir: Path, id_: str) -> Report | None:
    """How far the order of this id is; None before the supervisor has looked at it."""
    try:
        report = msgspec.json.decode(report_path(data_dir).read_bytes(), type=Report)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return report if report.id == id_ else None


class Roller:
    """The supervisor's side: carries out one order at a time."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def ordered(self) -> None:
        """An order has been written."""
        task = asyncio.create_task(self._carry_out())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self) -> None:
        async with self._turn:
            path = stackfile.order_path(self._stack.data_dir)
            try:
                order = msgspec.json.decode(path.read_bytes(), type=Order)
            except (FileNotFoundError, msgspec.DecodeError) as error:
                sys.stderr.write(f"lianji: the order to restart cannot be read: {type(error).__name__}\n")
                return
            path.unlink()
            report = Report(id=order.id)
            for name in order.names:
                report.error = await self._replace(name, report)
                if report.error:
                    break
                write(report_path(self._stack.data_dir), report)
            report.over = True
            write(report_path(self._stack.data_dir), report)

    async def _replace(self, name: str, report: Report) -> str:
        """Why it could not be replaced; empty when it has been."""
        started = time.monotonic()
        if name not in ORDER:
            return f"service: {name!r} is not one of {', '.join(ORDER)}"
        try:
            await self._stack.restart(name)
        except (NotReplacedError, BrokerError) as error:
            return str(error)
        process = self._stack.info().processes[name]
        report.steps.append(Step(name=name, pid=process.pid, seconds=round(time.monotonic() - started, 3)))
        return ""

    async def stop(self) -> None:
        """Ends what is under way; processes that are there stay."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
