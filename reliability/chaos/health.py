"""Whether a process of the stack answers again, as it says itself."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from lianji import stackfile
from lianji.faults.processes import BROKER
from lianji.stack import COLLECTOR
from lianji.stackfile import StackFile
from reliability.chaos.fault import Arena, now_s

ASK_S = 2.0
"""For one answer; who takes longer is asked again."""
AGAIN_S = 0.05
_OK = b" 200 "


async def answers_since(arena: Arena, name: str, former: int, within_s: float) -> float:
    """When the process answered: ready to work, and no longer the one with the number `former` (0: any will do). TimeoutError."""
    async with asyncio.timeout(within_s):
        while True:
            if await _answers(arena, name, former):
                return now_s()
            await asyncio.sleep(AGAIN_S)


async def _answers(arena: Arena, name: str, former: int) -> bool:
    stack = stackfile.running(arena.data_dir)
    if stack.processes[name].pid == former:
        return False
    try:
        async with asyncio.timeout(ASK_S):
            if name == BROKER:
                return await _greets(stack.nats_url)
            url = f"{stack.otlp_url}/healthz" if name == COLLECTOR else _ready_url(arena, stack, name)
            return bool(url) and await _is_ok(url)
    except (OSError, TimeoutError):
        return False


def _ready_url(arena: Arena, stack: StackFile, name: str) -> str:
    """Where the process that runs now says whether it is ready; empty until it has said where."""
    run = stackfile.run_file(arena.data_dir, name)
    return stack.processes[name].health_url if run is not None and run.pid == stack.processes[name].pid else ""


async def _greets(url: str) -> bool:
    """Whether a NATS server says what it is."""
    reader, writer = await asyncio.open_connection(*_address(url))
    try:
        return (await reader.readline()).startswith(b"INFO ")
    finally:
        writer.close()


async def _is_ok(url: str) -> bool:
    reader, writer = await asyncio.open_connection(*_address(url))
    try:
        writer.write(f"GET {urlsplit(url).path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return _OK in await reader.readline()
    finally:
        writer.close()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0
