"""A stack whose data lies on a disk that can lose its power. Its terminals are other machines: their memories lie elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.errors import BenchError
from bench.stack import lianji
from lianji import stackfile
from reliability.power.disk import Disk

LONGEST_S = 60.0
"""Terminals sell until they are switched off; this long if nobody does."""
LINES_AFTER = 2
"""A load run writes a line a second: at the second, what had come before the first has been taken in."""


class Machine:
    """The disk, the stack on it and the terminals beside it."""

    def __init__(self, directory: Path, *, synced: bool = True) -> None:
        self._directory = directory
        self._cuts = 0
        self._synced = synced
        self._up: subprocess.Popen[bytes] | None = None
        self.disk = Disk(directory / "disk-0.img", directory / "disk")
        self.data_dir = self.disk.path / "data"
        self._terminals = directory / "terminals"

    def build(self) -> None:
        """An empty machine, switched on; raises BenchError."""
        self.disk.make()
        self.disk.mount()
        self.data_dir.mkdir()
        self._terminals.mkdir()
        (self.data_dir / "terminals").symlink_to(self._terminals.resolve())

    def start(self) -> float:
        """Seconds until the stack is ready; raises BenchError when it does not come up."""
        began = time.monotonic()
        start = lianji("up") if self._synced else [sys.executable, "-m", "reliability.power.unsynced", "up"]
        log = (self._directory / "up.log").open("ab")
        with log:
            self._up = subprocess.Popen(
                [*start, "--json", "--data-dir", str(self.data_dir)], stdout=subprocess.PIPE, stderr=log
            )
        assert self._up.stdout is not None  # noqa: S101 - it is started with its pipe
        if not self._up.stdout.readline():
            self._up.wait()
            said = (self._directory / "up.log").read_text(errors="replace").strip()
            raise BenchError(f"the stack did not come up: {said[-4000:]}")
        return time.monotonic() - began

    def sell(self, concurrency: int) -> subprocess.Popen[bytes]:
        """A load run that has begun to sell."""
        command = lianji("load", "--json", "--data-dir", str(self.data_dir), "--duration", f"{LONGEST_S:g}")
        command += ["--concurrency", str(concurrency), "--terminals", str(concurrency)]
        load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert load.stderr is not None  # noqa: S101 - it is started with its pipe
        if not load.stderr.readline():  # the first line comes when it has sold for a second
            raise BenchError("lianji load: ended before the power could be cut")
        return load

    def cut_power(self) -> None:
        """Every process stops where it is, the disk keeps what has reached it, and nobody comes back to say anything."""
        stack = stackfile.running(self.data_dir)
        pids = [stack.pid, *(process.pid for process in stack.processes.values() if process.pid)]
        # First nobody runs, so that nobody can acknowledge what the disk has no power to keep; then the power is gone; then they are.
        for number in (signal.SIGSTOP, None, signal.SIGKILL):
            if number is None:
                self.disk.cut()
                continue
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
        self._ended()

    def revive(self) -> None:
        """A machine like it, with a copy of its disk."""
        self.disk.unmount()
        former = self.disk
        self._cuts += 1
        self.disk = Disk(self._directory / f"disk-{self._cuts}.img", former.path)
        former.copy(self.disk.image)
        former.image.unlink()
        self.disk.mount()

    def stop(self) -> None:
        """Switched off in good order."""
        if self._up is not None and self._up.poll() is None:
            self._up.terminate()
        self._ended()
        self.disk.unmount()

    def _ended(self) -> None:
        if self._up is not None:
            self._up.wait(60)
            assert self._up.stdout is not None  # noqa: S101 - it is started with its pipe
            self._up.stdout.close()
            self._up = None


def switch_off(load: subprocess.Popen[bytes]) -> None:
    """The terminals are switched off, too, once they have taken in whatever the machine had sent them: their memories keep every answer.
    Left alone they would go on looking for a machine that does not come back."""
    assert load.stderr is not None  # noqa: S101 - it is started with its pipe
    for _ in range(LINES_AFTER):
        load.stderr.readline()
    load.kill()
    load.communicate()
