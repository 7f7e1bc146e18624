"""`lianji down`: ask a running stack to drain and stop."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from lianji import stackfile
from lianji.errors import CliError

PATIENCE_S = 90.0


def register(app: typer.Typer) -> None:
    @app.command()
    def down(
        data_dir: Annotated[Path, typer.Option(envvar="LIANJI_DATA_DIR", help="The stack's data directory.")] = Path(
            ".lianji"
        ),
    ) -> None:
        """Drain and stop the stack that runs on a data directory."""
        stack = stackfile.running(data_dir)
        os.kill(stack.pid, signal.SIGTERM)
        give_up = time.monotonic() + PATIENCE_S
        while stackfile.find(data_dir) is not None:
            if time.monotonic() > give_up:
                raise CliError(
                    f"process {stack.pid} has not stopped after {PATIENCE_S:g} s; look in {stack.data_dir}/logs"
                )
            time.sleep(0.05)
        print(f"stopped the stack on {stack.data_dir}")
