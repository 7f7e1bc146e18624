"""A service that crashes leaves no core dump: its memory holds clear PINs."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no process may dump here anyway"),
]
SERVICES = ("auth", "issuer_sim", "receipts", "settlement", "terminal_gw")
FORBIDDEN = ["0", "0"]


def limits(pid: int) -> list[str]:
    """The soft and the hard limit of a process's core file."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


def allow_core_dumps() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Process:
    """A process that might dump where it stands, if it does not forbid it itself."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        # The discard port: nobody answers there, and the service waits for its broker.
        environment = os.environ | {"LIANJI_NATS_URL": "nats://127.0.0.1:9", "LIANJI_DATA_DIR": str(directory)}
        self.directory = directory
        self.popen = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=allow_core_dumps,  # noqa: PLW1509 - the test has no other thread
        )

    def crash(self) -> bool:
        """Whether it dumped its core when it was made to abort."""
        os.kill(self.popen.pid, signal.SIGABRT)
        _, status = os.waitpid(self.popen.pid, 0)
        self.popen.returncode = -os.WTERMSIG(status)
        assert os.WTERMSIG(status) == signal.SIGABRT
        return os.WCOREDUMP(status) or any(path.name.startswith("core") for path in self.directory.iterdir())


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.popen.returncode is None:
            process.popen.kill()
            process.popen.wait()
        assert process.popen.stdout is not None
        process.popen.stdout.close()


def until_forbidden(process: Process, within_s: float = 60) -> None:
    give_up = time.monotonic() + within_s
    while limits(process.popen.pid) != FORBIDDEN:
        assert process.popen.poll() is None, process.popen.stdout
        assert time.monotonic() < give_up, f"core dumps are still allowed: {limits(process.popen.pid)}"
        time.sleep(0.02)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_dumps_its_core(started: list[Process], tmp_path: Path, service: str) -> None:
    process = Process(tmp_path, "-m", service)
    started.append(process)
    until_forbidden(process)
    assert not process.crash()


def test_no_command_does_either_nor_what_it_starts(started: list[Process], tmp_path: Path) -> None:
    code = (
        "import subprocess, lianji.app; lianji.app.run(['world']); subprocess.run('ulimit -Hc; sleep 60', shell=True)"
    )
    process = Process(tmp_path, "-c", code)
    started.append(process)
    until_forbidden(process)
    assert process.popen.stdout is not None
    assert b"0\n" in iter(process.popen.stdout.readline, b"")
    assert not process.crash()


def test_the_control_dumps(started: list[Process], tmp_path: Path) -> None:
    """Where the kernel writes dumps at all, a process that does not forbid them leaves one: the tests above can fail."""
    if Path("/proc/sys/kernel/core_pattern").read_text().strip() in ("", "|/bin/false"):
        pytest.skip("this kernel writes no dumps")
    process = Process(tmp_path, "-c", "import time; print('up', flush=True); time.sleep(60)")
    started.append(process)
    assert process.popen.stdout is not None
    assert process.popen.stdout.readline() == b"up\n"
    assert limits(process.popen.pid) != FORBIDDEN
    if not process.crash():
        pytest.skip("this kernel writes no dumps here")
