"""`lianji replay SEED`: a simulated day, event by event."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lianji.errors import CliError


def register(app: typer.Typer) -> None:
    @app.command()
    def replay(
        seed: Annotated[int, typer.Argument(help="The seed of the day.", min=0)],
        plan: Annotated[
            Path | None,
            typer.Option(
                help="A plan to be played instead of the seed's own: the file that a failing `make sim` names."
            ),
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="Also what comes every half second.")] = False,
    ) -> None:
        """Show a simulated day: virtual time, process, what happened. Exits 0 when all invariants hold, 1 when one is broken."""
        # A process of its own, like a service: the command line does not import what it starts.
        if find_spec("simulation") is None:
            raise CliError("the simulation is not installed here: take a checkout of the project, and `make setup`")
        command = [sys.executable, "-m", "simulation", "replay", str(seed)]
        if plan is not None:
            command += ["--plan", str(plan)]
        if everything:
            command.append("--all")
        raise typer.Exit(subprocess.run(command, check=False).returncode)
