"""What a fault is, and the stack that it acts on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lianji import options, stackfile
from lianji.errors import CliError
from lianji.stackfile import StackFile
from runtime.identity import TEST_WORLD

ONLY_THE_TEST_WORLD = "fault: this stack has keys of its own, and faults are for the test world alone"


@dataclass(frozen=True)
class Target:
    """A stack of the test world, on this machine or behind the address of its broker."""

    data_dir: Path
    nats: str = ""
    gateway: str = ""

    def __post_init__(self) -> None:
        """Raises CliError for a stack with keys of its own."""
        if self.nats:
            keys = options.broker_at(self.nats).keys
            if keys.nats_nkey_file or keys.world != TEST_WORLD:
                raise CliError(f"{ONLY_THE_TEST_WORLD}: a drill on {self.nats} takes LIANJI_WORLD=test and no key file")
        elif (stack := stackfile.find(self.data_dir)) is not None and stack.keys:
            raise CliError(f"{ONLY_THE_TEST_WORLD}: start one with `lianji up` without --keys")

    @property
    def broker(self) -> options.Broker:
        return options.broker(self.data_dir, self.nats)

    @property
    def stack(self) -> StackFile:
        """The stack on this machine; CliError when there is none, or when another one is meant."""
        if self.nats:
            raise CliError("nats: this fault acts on processes of this machine; take --data-dir")
        return stackfile.running(self.data_dir)

    def pid(self, name: str) -> int:
        """The process that runs under this name now; CliError when the stack has none of the name."""
        processes = self.stack.processes
        if name not in processes:
            raise CliError(f"the stack has no process {name!r}; it has {', '.join(sorted(processes))}")
        return processes[name].pid


class Fault(ABC):
    """One fault. Its fields are what it can be told, each an option of the command; `off` asks for none of them.

    `state` asks whoever has the fault and remembers nothing: what is wrong may have healed by a restart.
    """

    name: ClassVar[str]
    does: ClassVar[str]
    alert: ClassVar[str]
    """By which it is noticed; the page in docs/runbook has the fault's name."""

    @abstractmethod
    async def on(self, target: Target) -> None:
        """Returns when it is on; raises CliError when it cannot be."""

    @classmethod
    @abstractmethod
    async def off(cls, target: Target) -> None:
        """Returns when nothing is left of it, also when there was nothing."""

    @classmethod
    @abstractmethod
    async def state(cls, target: Target) -> str:
        """What is on, in a few words; empty when nothing is."""
