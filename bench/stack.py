"""The path under measurement: an embedded stack, and load on it, both through the `lianji` command as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from bench.cpu import cpu_ns
from bench.figures import Figures

SAMPLE_S = 0.05
LOAD_GRACE_S = 90.0
"""Beyond its duration a load run takes this long at most: start, sign-on of its terminals, last answers."""


class BenchError(Exception):
    """The bench cannot do its work; the message says which command failed and how."""


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

    tx_s: float
    p50_us: float
    p99_us: float


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

    def __init__(self, data_dir: Path, *, tls: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir
        self._tls = tls
        self._environment = {**os.environ, **(environment or {})}
        self.port = self.tls_port = 0
        """The gateway's, once it is up."""
        self._up: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Stack:
        command = lianji("up", "--json", "--data-dir", str(self._data_dir), *(["--tls"] if self._tls else []))
        self._up = subprocess.Popen(command, stdout=subprocess.PIPE, env=self._environment)
        try:
            ready = self._ready(_pipe(self._up.stdout))
            self.port, self.tls_port = ready.gateway.port, ready.tls.port if ready.tls else 0
            named = ready.pids
            # `up` is a process of the path too; counted once, whether or not it names itself.
            self._pids = named if self._up.pid in named.values() else {"supervisor": self._up.pid} | named
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
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

    def measure(self, *, concurrency: int, duration_s: float, scheme: str = "session") -> Figures:
        """One run of `lianji load` with terminals of a key scheme; CPU is taken over the middle of the run, where the rate is steady."""
        command = lianji("load", "--json", "--data-dir", str(self._data_dir), "--concurrency", str(concurrency))
        command += ["--terminals", str(concurrency), "--duration", f"{duration_s:g}"]
        command += ["--scheme", scheme]
        load = subprocess.Popen(command, stdout=subprocess.PIPE)
        sampler = Sampler({**self._pids, "terminals": load.pid})
        sampler.start()
        try:
            output, _ = load.communicate(timeout=duration_s + LOAD_GRACE_S)
        except subprocess.TimeoutExpired:
            load.kill()
            load.communicate()
            raise BenchError(f"lianji load: not done {LOAD_GRACE_S:g} s after its duration") from None
        finally:
            sampler.stop()
        ended_s = time.monotonic()
        if load.returncode != 0:
            raise BenchError(f"lianji load: exit status {load.returncode}; its error stands above")
        report = last_report(output)
        rates = sampler.rates(from_s=ended_s - 0.8 * duration_s, to_s=ended_s - 0.3 * duration_s)
        return Figures(
            p50_us=report.p50_us,
            p99_us=report.p99_us,
            tx_s=report.tx_s,
            cpu_us_per_process={name: rate / report.tx_s for name, rate in rates.items()},
        )


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
