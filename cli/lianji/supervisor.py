"""Child processes that are started again when they die."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
HEALTHY_S = 10.0
"""A process that has lived this long starts again without a pause."""
STOP_S = 20.0
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """In the child: SIGTERM when the supervisor is gone, however it went (prctl(2), Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One process under supervision."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Callable[[], dict[str, str]],
        log_file: Path,
        on_start: Callable[[Child], None],
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self.log_file = log_file
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.starts = 0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**os.environ, **self._environment()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the supervisor, which drains in order
                preexec_fn=_die_with_parent,
            )
        self.starts += 1
        self._on_start(self)

    async def supervise(self) -> None:
        """Starts it, and again whenever it ends, until `stop`."""
        pause = FIRST_PAUSE_S
        while not self._stopping:
            started = time.monotonic()
            await self.start()
            assert self._process is not None  # noqa: S101 - set by start
            await self._process.wait()
            if self._stopping:
                return
            sys.stderr.write(
                f"lianji: {self.name} ended ({self._how()}), starting it again; its log: {self.log_file}\n"
            )
            if time.monotonic() - started > HEALTHY_S:
                pause = FIRST_PAUSE_S
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _how(self) -> str:
        code = (self._process.returncode or 0) if self._process is not None else 0
        return signal.Signals(-code).name if code < 0 else f"exit {code}"

    async def stop(self) -> None:
        """SIGTERM, wait for the drain, SIGKILL when it takes too long."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)  # in case somebody has stopped it
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            sys.stderr.write(f"lianji: {self.name} did not drain within {STOP_S:g} s, killing it\n")
            process.kill()
            await process.wait()
