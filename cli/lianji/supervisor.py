"""Child processes that are started again when they die, and replaced when they are asked to be."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
HEALTHY_S = 10.0
"""A process that has lived this long starts again without a pause."""
STOP_S = 20.0
LOG_BYTES = 256_000_000
"""Half an hour of lines at 500 sales a second."""
SUCCESSOR_S = 120.0
"""A successor is ready by then, if only by standing by."""
_PR_SET_PDEATHSIG = 1


class NotReplacedError(Exception):
    """The successor did not come up; the text says why. Whoever was there before still is, where the two stood side by side."""


def _put_aside(log: Path) -> None:
    """A log that has grown long makes room for a new one at its process's next start; the one before it goes. Who still writes goes on there."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


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
        *,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        """`descriptors` are left open to the process, under their numbers here."""
        self.name = name
        self._command = command
        self._environment = environment
        self.log_file = log_file
        self._on_start = on_start
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._replacing = asyncio.Lock()
        self.starts = 0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self._process = await self._spawn()
        self._on_start(self)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        _put_aside(self.log_file)
        with self.log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**os.environ, **self._environment()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the supervisor, which drains in order
                preexec_fn=_die_with_parent,
                pass_fds=self._descriptors,
            )
        self.starts += 1
        return process

    async def supervise(self) -> None:
        """Starts it, and again whenever it ends, until `stop`."""
        pause = FIRST_PAUSE_S
        while not self._stopping:
            started = time.monotonic()
            await self.start()
            await self._ended()
            if self._stopping:
                return
            sys.stderr.write(
                f"lianji: {self.name} ended ({self._how()}), starting it again; its log: {self.log_file}\n"
            )
            if time.monotonic() - started > HEALTHY_S:
                pause = FIRST_PAUSE_S
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _ended(self) -> None:
        """Returns when the process has ended and none has taken its place."""
        process = None
        while process is not self._process:
            process = self._process
            assert process is not None  # noqa: S101 - set by start
            await process.wait()
            async with self._replacing:  # who replaces it ends it himself
                continue

    def _how(self) -> str:
        code = (self._process.returncode or 0) if self._process is not None else 0
        return signal.Signals(-code).name if code < 0 else f"exit {code}"

    async def replace(self, ready: Callable[[int], Awaitable[bool]], *, beside: bool) -> None:
        """Puts another process in its place, without a moment in which there is none if the two may stand `beside` one another.

        `ready` is asked whether the process with a pid does its work. Raises NotReplacedError; then the former process is still there, or,
        where they do not stand side by side, another is started as after any end.
        """
        async with self._replacing:
            former = self._process
            if self._stopping or former is None or former.returncode is not None:
                raise NotReplacedError(f"{self.name}: does not run, and is started again already")
            if not beside:
                await self._terminate(former)
            successor = self._process = await self._spawn()
            try:
                await self._until_ready(successor, ready)
            except BaseException:  # a stop that comes now, too: nobody may be left behind
                await self._terminate(successor)
                self._process = former
                raise
            self._on_start(self)
            await self._terminate(former)

    async def _until_ready(
        self, successor: asyncio.subprocess.Process, ready: Callable[[int], Awaitable[bool]]
    ) -> None:
        give_up = time.monotonic() + SUCCESSOR_S
        while not await ready(successor.pid):
            if successor.returncode is not None:
                raise NotReplacedError(f"{self.name}: its successor has ended; its log: {self.log_file}")
            if self._stopping or time.monotonic() > give_up:
                raise NotReplacedError(f"{self.name}: its successor is not ready; its log: {self.log_file}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """SIGTERM, wait for the drain, SIGKILL when it takes too long."""
        self._stopping = True
        async with self._replacing:
            if self._process is not None:
                await self._terminate(self._process)

    async def _terminate(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)  # in case somebody has stopped it
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            sys.stderr.write(f"lianji: {self.name} did not drain within {STOP_S:g} s, killing it\n")
            process.kill()
            await process.wait()
