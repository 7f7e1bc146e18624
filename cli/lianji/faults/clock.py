"""One service's clock is wrong: clock. The supervisor starts the service again, and its clock with it (LIANJI_CLOCK_WRONG_BY_S)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lianji import overlay
from lianji.errors import WrongUseError
from lianji.faults.fault import Fault, Target
from lianji.faults.processes import restart

FARTHEST_S = 366 * 86_400.0
VARIABLE = "LIANJI_CLOCK_WRONG_BY_S"


@dataclass(frozen=True)
class Clock(Fault):
    name: ClassVar = "clock"
    does: ClassVar = "one service's clock runs ahead, or behind with a minus (--service, --by)"
    alert: ClassVar = "ClockApart"

    service: str = "issuer-sim"
    by: float = 3600.0
    """Seconds."""

    def __post_init__(self) -> None:
        if not 1 <= abs(self.by) <= FARTHEST_S:
            raise WrongUseError(f"by: {self.by:g} s is not between 1 s and {FARTHEST_S:g} s, ahead or behind")

    async def on(self, target: Target) -> None:
        services = sorted(name for name, process in target.stack.processes.items() if process.health_url)
        if self.service not in services:
            raise WrongUseError(f"service: {self.service!r} is not one of {', '.join(services)}")
        overlay.put(target.data_dir, self.service, VARIABLE, f"{self.by:g}")
        await restart(target, self.service)

    @classmethod
    async def off(cls, target: Target) -> None:
        for service in overlay.having(Path(target.stack.data_dir), VARIABLE):
            overlay.drop(target.data_dir, service, VARIABLE)
            await restart(target, service)

    @classmethod
    async def state(cls, target: Target) -> str:
        return ", ".join(
            f"{name} by {float(by):+g} s" for name, by in overlay.having(target.data_dir, VARIABLE).items()
        )
