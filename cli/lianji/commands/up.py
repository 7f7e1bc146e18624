"""`lianji up`: the whole stack in the foreground."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from contracts.access import AUDITOR
from lianji import checks, options, stackfile
from lianji.errors import CliError, InterruptedByUserError
from lianji.stack import Stack
from runtime.rights import inbox
from security_module import NOTICE

DEFAULT_PORT = 8583


def register(app: typer.Typer) -> None:
    @app.command()
    def up(
        data_dir: Annotated[
            Path,
            typer.Option(
                envvar="LIANJI_DATA_DIR",
                help="Where journals, ledgers, logs and traces are kept.",
                callback=checks.data_dir,
            ),
        ] = options.DEFAULT_DATA_DIR,
        port: Annotated[
            int,
            typer.Option(
                help="TCP port of the terminal gateway; 0 takes 8583 if it is free, else any.",
                callback=checks.whole_between(0, 65535),
            ),
        ] = 0,
        json: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
    ) -> None:
        """Start broker and services as local processes; Ctrl-C drains and stops them."""
        checks.make_data_dir(data_dir)
        asyncio.run(_up(data_dir, _free(data_dir, port), json))


def _free(data_dir: Path, port: int) -> int:
    """The port to listen on, 0 for any; raises CliError when the one that was asked for cannot be had."""
    refusal = _refusal(port or DEFAULT_PORT)
    if not refusal:
        return port or DEFAULT_PORT
    if (
        port and stackfile.find(data_dir) is None
    ):  # else the port may be that stack's own, and its start says what is wrong
        raise CliError(f"port: {port} {refusal}; take another --port")
    return port


def _refusal(port: int) -> str:
    """Why a server could not listen on `port`; empty when it could."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return "may not be taken by this user"
        except OSError:
            return "is taken"
    return ""


async def _up(data_dir: Path, port: int, json: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    stack = Stack(data_dir, gateway_port=port)
    sys.stderr.write(f"lianji: starting on {stack.data_dir} ({NOTICE})\n")
    starting = asyncio.create_task(stack.start())
    asked = asyncio.create_task(stopping.wait())
    ready = False
    try:
        await asyncio.wait([starting, asked], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()  # raises what kept it from starting
            ready = True
            print(ready_line(stack) if json else ready_text(stack), flush=True)
            await stopping.wait()
            sys.stderr.write("lianji: draining\n")
    finally:
        asked.cancel()
        starting.cancel()
        await asyncio.gather(starting, asked, return_exceptions=True)
        await stack.stop()
    if not ready:
        raise InterruptedByUserError("interrupted before it was ready")
    sys.stderr.write("lianji: stopped\n")


def ready_line(stack: Stack) -> str:
    """One JSON object with every address."""
    info = stack.info()
    line: dict[str, Any] = {
        "event": "ready",
        "data_dir": info.data_dir,
        "pid": info.pid,
        "nats": info.nats_url,
        "gateway": {"host": info.gateway_host, "port": info.gateway_port},
        "pids": {name: process.pid for name, process in info.processes.items()},
        "health": {name: process.health_url for name, process in info.processes.items() if process.health_url},
        "logs": str(stack.data_dir / "logs"),
        "traces": str(stack.data_dir / "traces"),
    }
    return msgspec.json.encode(line).decode()


def ready_text(stack: Stack) -> str:
    info = stack.info()
    option = "" if info.data_dir == str(Path(".lianji").resolve()) else f" --data-dir {info.data_dir}"
    return (
        f"Lianji is up.\n"
        f"  terminals   {info.gateway_host}:{info.gateway_port} (TCP, ISO 8583; docs/terminal-protocol.md)\n"
        f"  NATS        {info.nats_url} (subjects terminal.v1.<terminal>.request; each identity has a key: docs/adr/0013)\n"
        f"              to look around, if you have the nats CLI: nats --server {info.nats_url} --nkey {stack.auditor_key} --inbox-prefix {inbox(AUDITOR)} micro ls\n"
        f"  logs        {stack.data_dir / 'logs'}\n"
        f"  next        lianji swipe{option} --card debit-1 --amount 12.34 --pin 123456\n"
        f"              lianji load{option} --concurrency 16 --duration 10 · lianji verify{option}\n"
        f"Ctrl-C drains and stops it."
    )
