"""A real stack of real processes, driven through the commands that users have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIANJI = str(Path(sys.executable).parent / "lianji")
PATIENCE_S = 120.0
"""For what takes a moment on an idle machine."""


class StackProcess:
    """`lianji up` on a data directory of its own, with `more` options."""

    def __init__(self, data_dir: Path, *more: str) -> None:
        self.data_dir = data_dir
        self.errors = data_dir.parent / f"{data_dir.name}.stderr"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [LIANJI, "up", "--data-dir", str(data_dir), "--port", "0", "--json", *more],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the stack did not start: {self.errors.read_text()}"
        self.ready: dict[str, Any] = json.loads(line)
        self.world: dict[str, Any] = self.json("world")

    @property
    def gateway(self) -> tuple[str, int]:
        return self.ready["gateway"]["host"], self.ready["gateway"]["port"]

    def pid(self, name: str) -> int:
        """The process that runs under this name now."""
        stack = json.loads((self.data_dir / "run" / "stack.json").read_text())
        return int(stack["processes"][name]["pid"])

    def run(self, *arguments: str, timeout: float = 3 * PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """One command against this stack."""
        return subprocess.run(
            [LIANJI, arguments[0], "--data-dir", str(self.data_dir), *arguments[1:]],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def keys(self, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """One `lianji keys` command against this stack; `answers` is what it reads from standard input."""
        return subprocess.run(
            [LIANJI, "keys", *arguments, "--data-dir", str(self.data_dir)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            input=answers,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """One command against this stack, in the background."""
        return subprocess.Popen(
            [LIANJI, arguments[0], "--data-dir", str(self.data_dir), *arguments[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.stdout.strip(), f"{arguments}: exit {done.returncode}: {done.stderr}"
        return json.loads(done.stdout.strip().splitlines()[-1] if arguments[0] != "world" else done.stdout)

    def kill(self, name: str) -> int:
        """kill -9; returns the pid that died."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def logs(self, name: str) -> list[dict[str, Any]]:
        """What a service has logged, one object a line."""
        lines = (self.data_dir / "logs" / f"{name}.log").read_text().splitlines(keepends=True)
        # The last line may be half written.
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(2 * PATIENCE_S)


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float = PATIENCE_S) -> None:
    """Polls a condition; fails with `what` when it does not come true."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s} s: {what}"
        time.sleep(0.05)
