"""What a fault is, and what it acts on."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lianji import stackfile
from lianji.faults.fault import Target
from lianji.faults.processes import BROKER
from lianji.stack import COLLECTOR, SERVICES
from reliability.chaos.acks import AckFile
from reliability.chaos.proxy import Proxy

ON_THE_BROKER = tuple(name for name, _ in SERVICES)
"""Services that stand at the broker, each behind a proxy of its own."""
EVERY_SERVICE = (*ON_THE_BROKER, COLLECTOR)
EVERYBODY = (*EVERY_SERVICE, BROKER)

SERVICE_BACK_S, BROKER_BACK_S = 5.0, 10.0
"""Within this after the fault's end everything answers again: a fault of a service, and one that the broker shares."""


@dataclass
class Arena:
    """A stack, its load's line and its services' lines."""

    data_dir: Path
    terminals: Proxy
    lines: Mapping[str, Proxy]
    """By service: its way to the broker."""
    acks: AckFile
    """What the broker has acknowledged on those lines."""
    random: random.Random
    target: Target = field(init=False)

    def __post_init__(self) -> None:
        self.target = Target(self.data_dir)

    def pid(self, name: str) -> int:
        """The process that runs under this name now."""
        return self.target.pid(name)

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in stackfile.running(self.data_dir).processes.items()}


class Over(NamedTuple):
    """The end of a fault: what was wrong has been put right, or is left to the stack."""

    at_s: float
    """By the loop's clock. Of a kill, when it was sent: nobody puts that right but the supervisor."""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """One fault, which may be struck many times. What it needs to be told are its fields."""

    row: str
    """Its name in the table of results."""
    ends: tuple[str, ...] = ()
    """Processes that it ends: they are started again, and nobody else may have ended."""
    checks: tuple[str, ...] = ()
    """Processes that must answer again; whoever sells is checked by its sales."""
    back_s: float = SERVICE_BACK_S
    weight: int = 1
    """How often it is in the deck of which faults are drawn."""
    lasts_s: float = 0.0
    """About how long it takes by itself."""
    of_a_process: bool = False
    """A kill or a pause: what `at least 100 process faults` counts."""

    @abstractmethod
    async def strike(self, arena: Arena) -> Over:
        """Does it and heals it, also when cancelled."""


def now_s() -> float:
    return asyncio.get_running_loop().time()
