"""`lianji down`: ask a running stack to drain and stop."""

from __future__ import annotations

import os
import signal
import time

import typer

from lianji import options, stackfile
from lianji.errors import CliError

PATIENCE_S = 90.0


def register(app: typer.Typer) -> None:
    @app.command()
    def down(
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
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
