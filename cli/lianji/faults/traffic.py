"""Load on one merchant and one card: hot-account. It is no damage; the shard of the merchant and the bank's ledger have more to do than others.

The load is a `lianji load` of its own, which goes on when the command that has started it is over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

import world
from lianji.errors import CliError, WrongUseError
from lianji.faults.fault import Fault, Target

TERMINALS = 48
"""So many at once; the merchant's first ones are left to a load on all."""
STARTED_S = 60.0
"""It starts, and its terminals sign on."""
STOPPED_S = 45.0
"""For it to end; it sends the reversals of what was in flight first, as far as it can."""
AT_LEAST_A_DAY_S = 100_000


class _Running(msgspec.Struct):
    pid: int
    what: str


_decode = msgspec.json.Decoder(_Running).decode


def _path(target: Target) -> Path:
    return target.data_dir / "run" / "hot-account.json"


def _running(target: Target) -> _Running | None:
    """The load, while it runs."""
    try:
        running = _decode(_path(target).read_bytes())
        command = Path(f"/proc/{running.pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return None
    return running if b"\0load\0" in command else None


def _start(command: list[str], log_file: Path) -> subprocess.Popen[bytes]:
    """Not by asyncio, which would end it together with this command."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _has_begun(process: subprocess.Popen[bytes], log_file: Path) -> bool:
    """Whether the load has said something (it says each second how it goes on), or has ended."""
    return log_file.stat().st_size > 0 or process.poll() is not None


@dataclass(frozen=True)
class HotAccount(Fault):
    name: ClassVar = "hot-account"
    does: ClassVar = "load on one merchant and one card (--merchant, --card, --rate)"
    alert: ClassVar = "ShardSlow"

    merchant: str = "482290054990101"
    card: str = "load-debit-001"
    rate: float = 1000.0
    """Sales per second."""

    def __post_init__(self) -> None:
        everything = world.built_in()
        if everything.merchant(self.merchant) is None:
            raise WrongUseError(f"merchant: there is no {self.merchant!r}; `lianji world` lists them")
        if everything.card(self.card) is None:
            raise WrongUseError(f"card: there is no {self.card!r}; `lianji world` lists them")

    async def on(self, target: Target) -> None:
        if (running := _running(target)) is not None:
            raise CliError(f"hot-account: it is on already ({running.what}); switch it off first")
        log_file = target.data_dir / "logs" / "hot-account.log"
        process = _start(self._command(target), log_file)
        try:
            async with asyncio.timeout(STARTED_S):
                while True:
                    if _has_begun(process, log_file):
                        break
                    await asyncio.sleep(0.05)
        except BaseException as error:  # a Ctrl-C as well: nobody would know of the load
            process.kill()
            if isinstance(error, TimeoutError):
                raise CliError(f"hot-account: no terminal has signed on within {STARTED_S:g} s") from None
            raise
        if process.poll() is not None:
            raise CliError(f"hot-account: {log_file.read_text().strip().removeprefix('lianji: ')}")
        what = f"{self.rate:g} sales/s at merchant {self.merchant} with {self.card}"
        _path(target).parent.mkdir(parents=True, exist_ok=True)
        _path(target).write_bytes(msgspec.json.encode(_Running(process.pid, what)))

    def _command(self, target: Target) -> list[str]:
        address = ["--gateway", target.gateway] if target.gateway else []
        return [
            *(sys.executable, "-m", "lianji", "load", "--data-dir", str(target.data_dir), *address),
            *("--merchant", self.merchant, "--card", self.card),
            *("--rate", f"{self.rate:g}", "--terminals", str(TERMINALS), "--duration", str(AT_LEAST_A_DAY_S)),
        ]

    @classmethod
    async def off(cls, target: Target) -> None:
        running = _running(target)
        if running is not None:
            os.kill(running.pid, signal.SIGTERM)
            give_up = asyncio.get_running_loop().time() + STOPPED_S
            while _running(target) is not None:
                if asyncio.get_running_loop().time() > give_up:
                    raise CliError(f"hot-account: process {running.pid} does not end; kill it")
                await asyncio.sleep(0.05)
        _path(target).unlink(missing_ok=True)

    @classmethod
    async def state(cls, target: Target) -> str:
        running = _running(target)
        return running.what if running is not None else ""
