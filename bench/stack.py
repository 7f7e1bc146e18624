"""The path under measurement: an embedded stack, and load on it, both through the `lianji` command as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from bench.cores import only_on
from bench.cpu import cpu_ns
from bench.errors import BenchError
from bench.figures import Figures
from bench.load import Load
from bench.memory import rss_mib
from bench.synced import SyncMeter, stored

SAMPLE_S = 0.05
PROJECTIONS = ("receipts", "settlement")
"""Databases of the data directory."""
OWNERS, BANKS = ("auth-a", "auth-b"), "issuer-sim"
"""Processes that own the journals, and the one that owns the ledgers."""
UNTRACED = {"OTEL_SDK_DISABLED": "true"}
"""What turns the spans of a stack off (OpenTelemetry's own variable)."""
LOAD_GRACE_S = 90.0
"""Beyond its duration a load run takes this long at most: start, sign-on of its terminals, last answers."""


class Door(msgspec.Struct):
    """Where the gateway takes terminals."""

    port: int


class Ready(msgspec.Struct):
    """The line that `lianji up --json` prints, as far as it matters here."""

    event: str
    pids: dict[str, int]
    gateway: Door
    tls: Door | None = None


class LoadReport(msgspec.Struct):
    """The line that `lianji load --json` prints, as far as it matters here."""

    tx: int
    tx_s: float
    p50_us: float
    p99_us: float
    backlog: int = 0


class BrokerPorts(msgspec.Struct):
    """What nats-server writes about the ports it took."""

    monitoring: list[str]


class OwnerLine(msgspec.Struct):
    """What the log of a service says when it has become a log's owner, as far as it matters here."""

    event: str
    replay_ms: float


class _Sample(NamedTuple):
    at_s: float
    cpu_ns: dict[str, int]


class Sampler(threading.Thread):
    """Notes the CPU accounts of some processes every SAMPLE_S until stopped, also of those that end meanwhile."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self._pids = pids
        self._stopping = threading.Event()
        self._samples: list[_Sample] = []

    def run(self) -> None:
        while not self._stopping.is_set():
            self._samples.append(_Sample(time.monotonic(), {n: cpu_ns(pid) for n, pid in self._pids.items()}))
            self._stopping.wait(SAMPLE_S)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def rates(self, *, from_s: float, to_s: float) -> dict[str, float]:
        """Microseconds of CPU per second, by process, between two instants of the monotonic clock."""
        window = [sample for sample in self._samples if from_s <= sample.at_s <= to_s]
        if len(window) < 2:
            raise BenchError("the load run was too short to take its CPU; give it a longer --duration")
        first, last = window[0], window[-1]
        elapsed_s = last.at_s - first.at_s
        return {name: (last.cpu_ns[name] - first.cpu_ns[name]) / 1000 / elapsed_s for name in self._pids}


class Stack:
    """An embedded stack over a temporary data directory. A context manager; `measure` is one load run on it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        tls: bool = False,
        environment: Mapping[str, str] | None = None,
        said: Path | None = None,
        cores: Collection[int] = (),
    ) -> None:
        """`said` is a file for what `lianji up` says, its own standard error when left out; `cores` are all that it runs on, where named."""
        self._data_dir = data_dir
        self._tls = tls
        self._said = said
        self._cores = cores
        self._environment = {**os.environ, **(environment or {})}
        self.port = self.tls_port = 0
        """The gateway's, once it is up."""
        self.sold = 0
        """Transactions that load runs have had answered."""
        self._up: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Stack:
        command = lianji("up", "--json", "--data-dir", str(self._data_dir), *(["--tls"] if self._tls else []))
        with only_on(self._cores), self._said.open("ab") if self._said else nullcontext() as errors:
            self._up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=self._environment)
        try:
            ready = self._ready(_pipe(self._up.stdout))
            self.port, self.tls_port = ready.gateway.port, ready.tls.port if ready.tls else 0
            named = ready.pids
            # `up` is a process of the path too; counted once, whether or not it names itself.
            self._pids = named if self._up.pid in named.values() else {"supervisor": self._up.pid} | named
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Has it drain; returns when it is gone. It may be stopped twice."""
        if self._up is None:
            return
        self._up.terminate()
        try:
            self._up.wait(30)
        except subprocess.TimeoutExpired:
            self._up.kill()
            self._up.wait()
        _pipe(self._up.stdout).close()

    def _ready(self, lines: IO[bytes]) -> Ready:
        for line in lines:
            try:
                ready = msgspec.json.decode(line, type=Ready)
            except msgspec.MsgspecError:
                continue  # another event
            if ready.event == "ready":
                return ready
        raise BenchError("lianji up: ended before it was ready; its error stands above")

    @property
    def pids(self) -> dict[str, int]:
        """Every process of the stack, by name."""
        return dict(self._pids)

    def memory(self) -> dict[str, float]:
        """MiB resident, by process."""
        return rss_mib(self._pids)

    def stored(self) -> dict[str, int]:
        """Messages that each stream has taken."""
        return stored(self._monitor())

    def longest_replay_ms(self) -> float:
        """What the owners that this stack has had say of the replay of their logs, the longest."""
        said = [
            line.replay_ms
            for name in (*OWNERS, BANKS)
            for line in _owner_lines(self._data_dir / "logs" / f"{name}.log")
        ]
        if not said:
            raise BenchError(f"{self._data_dir}: no owner has said how long its replay took")
        return max(said)

    def _monitor(self) -> int:
        """The port of the broker's monitoring page."""
        for written in (self._data_dir / "broker").glob("nats-server_*.ports"):
            ports = msgspec.json.decode(written.read_bytes(), type=BrokerPorts)
            return int(ports.monitoring[0].rpartition(":")[2])
        raise BenchError(f"{self._data_dir}: its broker has not said which ports it took")

    def measure(self, load: Load) -> Figures:
        """One run of `lianji load`; CPU is taken over the middle of the run, where the rate is steady, syncs over all of it."""
        synced = SyncMeter(self._monitor(), {name: self._data_dir / f"{name}.db" for name in PROJECTIONS})
        client = subprocess.Popen(self._command(load), stdout=subprocess.PIPE)
        sampler = Sampler({**self._pids, "terminals": client.pid})
        sampler.start()
        try:
            output, _ = client.communicate(timeout=load.duration_s + LOAD_GRACE_S)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
            raise BenchError(f"lianji load: not done {LOAD_GRACE_S:g} s after its duration") from None
        finally:
            sampler.stop()
        ended_s = time.monotonic()
        if client.returncode != 0:
            raise BenchError(f"lianji load: exit status {client.returncode}; its error stands above")
        report = last_report(output)
        rates = sampler.rates(from_s=ended_s - 0.8 * load.duration_s, to_s=ended_s - 0.3 * load.duration_s)
        self.sold += report.tx
        return Figures(
            p50_us=report.p50_us,
            p99_us=report.p99_us,
            tx_s=report.tx_s,
            cpu_us={name: rate / report.tx_s for name, rate in rates.items()},
            synced={name: count / report.tx for name, count in synced.since().items()},
            backlog=report.backlog,
        )

    def _command(self, load: Load) -> list[str]:
        command = lianji("load", "--json", "--data-dir", str(self._data_dir), "--scheme", load.scheme)
        command += ["--duration", f"{load.duration_s:g}"]
        if load.rate:
            return [*command, "--rate", f"{load.rate:g}"]
        return [*command, "--concurrency", str(load.concurrency), "--terminals", str(load.concurrency)]


def _owner_lines(log: Path) -> Iterator[OwnerLine]:
    for text in log.read_bytes().splitlines():
        try:
            line = msgspec.json.decode(text, type=OwnerLine)
        except msgspec.MsgspecError:
            continue  # another event
        if line.event == "owner":
            yield line


def last_report(output: bytes) -> LoadReport:
    """The last line of a load run's output; raises BenchError when it is no report, or nothing got through."""
    lines: list[Any] = output.splitlines()
    try:
        report = msgspec.json.decode(lines[-1], type=LoadReport) if lines else None
    except msgspec.MsgspecError as error:
        raise BenchError(f"lianji load: its report cannot be read: {error}") from None
    if report is None or report.tx_s <= 0:
        raise BenchError("lianji load: no transaction got through")
    return report


def lianji(*arguments: str) -> list[str]:
    """A call of the `lianji` command of this environment."""
    return [str(Path(sys.executable).parent / "lianji"), *arguments]


def temporary_directory() -> tempfile.TemporaryDirectory[str]:
    """Beside the build, not in /tmp: that may be memory, where a sync costs nothing."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="bench-", dir=build)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - `up` is started with its pipe
    return pipe
