"""A chain as the bench holds it: a broker with the stack's settings, B, A and a client, a process each, started by their roles."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

from bench.cpu import CpuMeter
from bench.drive import Order, Result
from bench.errors import BenchError
from bench.figures import Figures
from bench.load import Load
from bench.memory import rss_mib
from bench.roles import READY
from bench.synced import SyncMeter
from lianji.broker import BrokerError, LocalBroker
from lianji.commands.load import MOST_TERMINALS, terminals_for

FLOOR = "bench.floor"
"""The module whose role `streams` makes every chain's streams."""


class Chain:
    """A chain, standing. A context manager; `measure` is one run of it. `module` has the roles `b`, `a` and `client`."""

    def __init__(self, directory: Path, module: str = FLOOR, more: Sequence[str] = ()) -> None:
        """`more` is what its processes are told beside role and broker."""
        self._module = module
        self._more = tuple(more)
        self._broker = LocalBroker(directory)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Chain:
        try:
            self._broker.start()
            subprocess.run(_command(FLOOR, "streams", self._broker.url), check=True)
            for role in ("b", "a", "client"):
                self._start(role)
        except (BrokerError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise BenchError(f"{self._module}: {error}") from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._broker.stop()

    def _start(self, role: str) -> None:
        process = self._processes[role] = subprocess.Popen(
            _command(self._module, role, self._broker.url, *self._more), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if _pipe(process.stdout).readline().decode().strip() != READY:
            raise BenchError(f"{self._module}: {role} did not start; its error stands above")

    @property
    def pids(self) -> dict[str, int]:
        broker = {"nats-server": self._broker.process.pid} if self._broker.process is not None else {}
        return broker | {name: process.pid for name, process in self._processes.items()}

    def memory(self) -> dict[str, float]:
        """MiB resident, by process."""
        return rss_mib(self.pids)

    def measure(self, load: Load) -> Figures:
        """One run; CPU and syncs are those of the whole of it."""
        workers = load.concurrency or terminals_for(load.rate, there=MOST_TERMINALS)
        synced, cpu = SyncMeter(self._broker.monitor, {}), CpuMeter(self.pids)
        result = self._ask(Order(duration_s=load.duration_s, workers=workers, rate=load.rate))
        spent, stored = cpu.spent_us(), synced.since()
        return Figures(
            p50_us=result.p50_us,
            p99_us=result.p99_us,
            tx_s=result.tx_s,
            cpu_us={name: us / result.count for name, us in spent.items()},
            synced={name: count / result.count for name, count in stored.items()},
            backlog=result.backlog,
        )

    def _ask(self, order: Order) -> Result:
        client = self._processes["client"]
        _pipe(client.stdin).write(msgspec.json.encode(order) + b"\n")
        _pipe(client.stdin).flush()
        line = _pipe(client.stdout).readline()
        if not line:
            raise BenchError(f"{self._module}: its client ended; its error stands above")
        return msgspec.json.decode(line, type=Result)


def _command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - every process here is started with its pipes
    return pipe
