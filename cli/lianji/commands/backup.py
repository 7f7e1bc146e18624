"""`lianji backup`: all that a restore needs, from a stack that goes on working."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

import world
from lianji import options, stackfile
from lianji.reading import broker_of
from lianji.recovery import archive, manifest


def register(app: typer.Typer) -> None:
    @app.command()
    def backup(
        to: Annotated[Path, typer.Argument(help="Folder of backups; each gets a folder of its own in it.")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        json: options.Json = False,
    ) -> None:
        """Copy logs, buckets with their wrapped keys, databases and terminals' memories, without stopping anything."""
        made = options.run(_backup(to, data_dir))
        held = manifest.read(made)
        if json:
            print(msgspec.json.encode({"backup": str(made), "manifest": held}).decode())
        else:
            show(made, held)


async def _backup(to: Path, data_dir: Path) -> Path:
    stack = stackfile.find(data_dir)
    keys = Path(stack.keys) if stack is not None and stack.keys else None
    async with broker_of(data_dir) as broker, options.connected(broker, "backup") as bus:
        return await archive.write(
            bus,
            world.built_in(),
            data_dir,
            to,
            keys=keys,
            progress=lambda text: print(text, file=sys.stderr, flush=True),
        )


def show(made: Path, held: manifest.Manifest) -> None:
    """Where it is, and what it holds."""
    console = Console(highlight=False)
    records = sum(log.records for log in held.logs)
    keys = sum(bucket.keys for bucket in held.buckets)
    size = sum(file.bytes for file in held.files)
    console.print(f"{made}", soft_wrap=True)
    console.print(
        f"{len(held.logs)} logs with {records:,} records, {len(held.buckets)} buckets with {keys:,} keys, "
        f"{len(held.databases)} databases, {held.terminals:,} terminals; {size / 1e6:,.1f} MB"
    )
