"""`lianji restart`: processes of a running stack are replaced, one after the other, while terminals sell."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from lianji import options, rolling, stackfile
from lianji.errors import CliError, WrongUseError
from lianji.rolling import ALL, ORDER, Order, Step

PATIENCE_S = 200.0
"""For one process: its successor's start, its own drain."""


def register(app: typer.Typer) -> None:
    @app.command()
    def restart(
        service: Annotated[str, typer.Argument(help=f"{ALL}, or one of {', '.join(ORDER)}.")] = ALL,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        json: options.Json = False,
    ) -> None:
        """Replace a process of a running stack, or each of them in turn, without a sale that fails."""
        if service not in (ALL, *ORDER):
            raise WrongUseError(f"service: {service!r} is not one of {', '.join((ALL, *ORDER))}")
        stack = stackfile.running(data_dir)
        order = Order(id=uuid.uuid4().hex, names=ORDER if service == ALL else (service,))
        steps = []
        for step in _carried_out(stack, order):
            steps.append(step)
            if not json:
                print(f"{step.name:<12} process {step.pid} has taken over, {step.seconds:.1f} s", flush=True)
        if json:
            print(msgspec.json.encode({"restarted": steps}).decode())


def _carried_out(stack: stackfile.StackFile, order: Order) -> Iterator[Step]:
    """Each step as it is done; raises CliError when one cannot be."""
    data_dir = Path(stack.data_dir)
    path = stackfile.order_path(data_dir)
    if path.exists():
        raise CliError("another restart is waiting for the supervisor: try again when it is done")
    rolling.write(path, order)
    os.kill(stack.pid, signal.SIGUSR1)
    shown, give_up = 0, time.monotonic() + PATIENCE_S
    while True:
        report = rolling.report_of(data_dir, order.id)
        for step in report.steps[shown:] if report else ():
            shown, give_up = shown + 1, time.monotonic() + PATIENCE_S
            yield step
        if report and report.error:
            raise CliError(report.error)
        if report and report.over:
            return
        if time.monotonic() > give_up or stackfile.find(data_dir) is None:
            raise CliError(f"the supervisor, process {stack.pid}, does not say how it went; look in {data_dir}/logs")
        time.sleep(0.05)
