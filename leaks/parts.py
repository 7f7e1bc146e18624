"""The identities whose parts a run plays at the broker: terminals that publish, whoever might send a service a damaged question, an auditor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from contracts.access import AUDITOR, AUTH, TERMINAL, TERMINAL_GW
from lianji import options
from runtime.bus import Bus

CONNECT_S = 10.0
_ASKERS = {"terminal": TERMINAL, "auth": TERMINAL_GW, "issuer": AUTH}
"""First token of a subject → who may ask there."""


class Parts:
    """A connection for each part."""

    def __init__(self, buses: dict[str, Bus]) -> None:
        self._buses = buses

    def asking(self, subject: str) -> Bus:
        """The connection of somebody who may send requests on `subject`."""
        return self._buses[_ASKERS.get(subject.partition(".")[0], AUDITOR)]


@asynccontextmanager
async def parts_of(data_dir: Path) -> AsyncIterator[Parts]:
    """For the stack that runs on `data_dir`; raises CliError, and runtime's BusError when its broker does not answer."""
    broker = options.broker(data_dir, "")
    buses: dict[str, Bus] = {}
    async with AsyncExitStack() as leaving:
        for name in {*_ASKERS.values(), AUDITOR}:
            bus = await Bus.connect(broker.url, "leaks", identity=broker.identity(name), wait_s=CONNECT_S)
            leaving.push_async_callback(bus.close)
            buses[name] = bus
        yield Parts(buses)
