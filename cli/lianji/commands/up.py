"""`lianji up`: the whole stack in the foreground."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from contracts.access import AUDITOR
from lianji import checks, options, stackfile, tls_door
from lianji.errors import CliError, InterruptedByUserError
from lianji.ports import HeldPort, PortTakenError
from lianji.rolling import Roller
from lianji.stack import Stack
from runtime.rights import inbox
from security_module import NOTICE

DEFAULT_PORT, OTLP_PORT = 8583, 4318


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
        tls: Annotated[
            bool,
            typer.Option(
                "--tls",
                help="A door for mutual TLS too, on port 8584 if it is free; `lianji certificate` issues terminals' certificates.",
            ),
        ] = False,
        keys: options.KeysDir = None,
        json: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
    ) -> None:
        """Start broker and services as local processes; Ctrl-C drains and stops them."""
        checks.make_data_dir(data_dir)
        tls_port = _hold(data_dir, 0, usual=tls_door.DEFAULT_PORT) if tls else None
        stack = Stack(
            data_dir,
            port=_hold(data_dir, port),
            tls_port=tls_port,
            otlp_port=_hold(data_dir, 0, usual=OTLP_PORT),
            keys=keys,
        )
        asyncio.run(_up(stack, json))


def _hold(data_dir: Path, number: int, *, usual: int = DEFAULT_PORT) -> HeldPort:
    """The port `number`; with 0 the usual one when it can be had, else any. Raises CliError when the one that was asked for cannot be had."""
    try:
        return HeldPort(number or usual)
    except PortTakenError as error:
        # The port may be that of a stack on this very directory: then its start says what is wrong.
        if number and stackfile.find(data_dir) is None:
            raise CliError(f"port: {number} {error}; take another --port") from None
    return HeldPort()


async def _up(stack: Stack, json: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    sys.stderr.write(f"lianji: starting on {stack.data_dir} ({NOTICE})\n")
    roller = Roller(stack)
    loop.add_signal_handler(signal.SIGUSR1, roller.ordered)
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
        await roller.stop()
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
        "tls": {"host": info.gateway_host, "port": info.tls_port, "ca": info.tls_ca} if info.tls_port else None,
        "pids": {name: process.pid for name, process in info.processes.items()},
        "health": {name: process.health_url for name, process in info.processes.items() if process.health_url},
        "logs": str(stack.data_dir / "logs"),
        "otlp": info.otlp_url,
        "traces": str(stack.data_dir / "traces"),
    }
    return msgspec.json.encode(line).decode()


def ready_text(stack: Stack) -> str:
    info = stack.info()
    option = "" if info.data_dir == str(Path(".lianji").resolve()) else f" --data-dir {info.data_dir}"
    whose = f"mutual TLS; certificates: lianji certificate{option} 10000001" if info.tls_ca else "TLS"
    secure = f"              {info.gateway_host}:{info.tls_port} ({whose})\n" if info.tls_port else ""
    return (
        f"Lianji is up.\n"
        f"  terminals   {info.gateway_host}:{info.gateway_port} (TCP, ISO 8583; docs/terminal-protocol.md)\n"
        f"{secure}"
        f"  NATS        {info.nats_url} (subjects terminal.v1.<terminal>.request; each identity has a key: docs/adr/0013)\n"
        f"              to look around, if you have the nats CLI: nats --server {info.nats_url} --nkey {stack.auditor_key} --inbox-prefix {inbox(AUDITOR)} micro ls\n"
        f"  traces      {info.otlp_url}/v1/traces takes anybody's (OTLP over HTTP); lianji traces{option}\n"
        f"  logs        {stack.data_dir / 'logs'}\n"
        f"  next        lianji swipe{option} --card debit-1 --amount 12.34 --pin 123456\n"
        f"              lianji load{option} --concurrency 16 --duration 10 · lianji verify{option}\n"
        f"Ctrl-C drains and stops it."
    )
