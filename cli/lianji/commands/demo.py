"""`lianji demo`: one stack of its own, and a shop's day with one of each kind of transaction, each step by the command a user would type."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lianji import checks
from lianji.demo import SHOP, Found, Step, remembered, steps
from lianji.errors import CliError
from lianji.stack import Stack
from world import built_in


def register(app: typer.Typer) -> None:
    @app.command()
    def demo(
        data_dir: Annotated[
            Path | None,
            typer.Option(
                help="Where to run it; left out, a temporary directory that is removed at the end.",
                callback=checks.data_dir,
            ),
        ] = None,
    ) -> None:
        """Show a shop's day, live, with one of each kind of transaction; exits 0 when every step came out as it must."""
        if data_dir is not None:
            checks.make_data_dir(data_dir)
            asyncio.run(_demo(data_dir))
            return
        with tempfile.TemporaryDirectory(prefix="lianji-demo-") as directory:
            asyncio.run(_demo(Path(directory)))


async def _demo(data_dir: Path) -> None:
    console = Console(highlight=False)
    started = time.monotonic()
    world = built_in()
    terminal = world.terminal(SHOP)
    if terminal is None:
        raise CliError(f"terminal {SHOP} is not in the test world")
    table = steps({card.name: card.pin for card in world.cards}, terminal.merchant)
    console.rule("[bold]Lianji 联机")
    console.print("Starting broker, gateway, switch (two replicas), banks, receipts and settlement as processes …")
    stack = Stack(data_dir)
    try:
        await stack.start()
        console.print(
            f"Up after {time.monotonic() - started:.1f} s. Terminals dial {stack.gateway_host}:{stack.gateway_port}."
        )
        found: Found = {}
        for number, step in enumerate(table, 1):
            console.print()
            console.rule(f"[bold]{number}/{len(table)}", align="left")
            console.print(f"[bold]{step.title}")
            await _show(step, found, data_dir, console)
    finally:
        await stack.stop()
    console.print()
    console.rule(f"[bold green]all {len(table)} steps came out as they must, in {time.monotonic() - started:.0f} s")
    console.print(
        "Next: `make up`, then in another shell `.venv/bin/lianji swipe --card debit-1 --amount 12.34 --pin 123456`."
    )
    console.print("Read on: README.md, ARCHITECTURE.md (the same swipe through the code), docs/terminal-protocol.md.")


async def _show(step: Step, found: Found, data_dir: Path, console: Console) -> None:
    """Runs a step's command, shows what it says, and raises CliError when it did not end as it must."""
    arguments = step.arguments(found)
    typed = f"lianji {shlex.join(arguments)}"
    console.print(f"[cyan]$ {typed}", soft_wrap=True)
    environment = {**os.environ, "LIANJI_DATA_DIR": str(data_dir), "COLUMNS": str(min(console.width, 120))}
    if console.is_terminal:
        environment["FORCE_COLOR"] = "1"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "lianji",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:  # interrupted: nothing may go on writing into the directory
            process.kill()
            await process.wait()
    text = output.decode()
    sys.stdout.write(text)
    sys.stdout.flush()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    missing = [word for word in step.must_say if word not in plain]
    if process.returncode != step.exit_code or missing:
        raise CliError(
            f"demo: `{typed}` ended with {process.returncode} (must be {step.exit_code})"
            + (f" and does not say {json.dumps(missing, ensure_ascii=False)}" if missing else "")
        )
    kept = remembered(step, plain)
    if unseen := step.remember.keys() - kept.keys():
        raise CliError(f"demo: `{typed}` does not show its {' and '.join(sorted(unseen))}")
    found.update(kept)
