"""What faults do to processes of the stack: stop them for a while, or have the supervisor start them again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from lianji import stackfile
from lianji.errors import CliError
from lianji.faults.fault import Target

BROKER = "nats-server"
PATIENCE_S = 60.0
"""For a drain, which takes 15 s at most, and a start on a busy machine."""
KILL_AFTER_S = 20.0
SIGNAL_S = 10.0


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal; CliError when the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise CliError(f"process {pid} has ended and is being started again: repeat the command") from None


def is_paused(pid: int) -> bool:
    """Whether SIGSTOP has been sent to the process, and no SIGCONT since (proc(5), state T)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return False
    return fields[0] == "T"


async def pause(pid: int) -> None:
    """SIGSTOP; returns when it has stopped. Its sockets stay open, and nobody reads them. CliError when it is gone."""
    send(pid, signal.SIGSTOP)
    await _until_paused(pid, True)


async def resume(pid: int) -> None:
    """SIGCONT; returns when it goes on."""
    send(pid, signal.SIGCONT)
    await _until_paused(pid, False)


async def _until_paused(pid: int, paused: bool) -> None:
    give_up = asyncio.get_running_loop().time() + SIGNAL_S
    while is_paused(pid) is not paused:
        if asyncio.get_running_loop().time() > give_up:
            raise CliError(f"process {pid} does not take signals")
        await asyncio.sleep(0.01)


async def restart(target: Target, name: str) -> None:
    """SIGTERM, and SIGKILL when that does not help; returns when the supervisor has started the process again. CliError when it does not."""
    former = target.pid(name)
    send(former, signal.SIGTERM)
    clock = asyncio.get_running_loop().time
    give_up, kill_at = clock() + PATIENCE_S, clock() + KILL_AFTER_S
    while not _runs_anew(target, name, former):
        if clock() > give_up:
            raise CliError(f"{name} has not been started again within {PATIENCE_S:g} s; look in {target.data_dir}/logs")
        if clock() > kill_at and target.pid(name) == former:
            send(former, signal.SIGKILL)
            kill_at = give_up
        await asyncio.sleep(0.05)


def _runs_anew(target: Target, name: str, former: int) -> bool:
    pid = target.pid(name)
    # The broker's new number is written when it takes connections; a service's when it has been started, so it is asked itself.
    run = stackfile.run_file(target.data_dir, name)
    return pid != former and (name == BROKER or (run is not None and run.pid == pid))
