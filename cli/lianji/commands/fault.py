"""`lianji fault`: something goes wrong, on purpose, in a stack of the test world; docs/runbook is how it is found."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sys
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from lianji import checks, options, stackfile
from lianji.errors import CliError, WrongUseError
from lianji.faults.fault import Fault, Target
from lianji.faults.table import FAULTS

LIST = "list"


def register(app: typer.Typer) -> None:
    @app.command()
    def fault(
        name: Annotated[str, typer.Argument(help=f"{LIST}, or one of {', '.join(FAULTS)}.")],
        off: Annotated[bool, typer.Option("--off", help="Switch it off.")] = False,
        for_: Annotated[
            float | None,
            typer.Option(
                "--for",
                metavar="TIME",
                parser=checks.duration,
                help="Stay until it is over (90s, 2m), or a Ctrl-C, and switch it off.",
            ),
        ] = None,
        institution: Annotated[str | None, typer.Option(help="Of a bank's fault: which bank.")] = None,
        by: Annotated[
            float | None,
            typer.Option(metavar="TIME", parser=checks.duration, help="How late, or how wrong a clock: 500ms, 2s, 1h."),
        ] = None,
        share: Annotated[
            float | None, typer.Option(help="Of answers that are lost, 0 to 1.", callback=checks.between(0, 1))
        ] = None,
        service: Annotated[str | None, typer.Option(help="Of the clock: whose.")] = None,
        merchant: Annotated[str | None, typer.Option(help="Of the hot account: where it is used.")] = None,
        card: Annotated[str | None, typer.Option(help="Of the hot account: the card, by its name.")] = None,
        rate: Annotated[
            float | None, typer.Option(help="Of the hot account: sales per second.", callback=checks.between(0.01, 1e5))
        ] = None,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        gateway: options.Gateway = "",
        json: options.Json = False,
    ) -> None:
        """Switch a fault on, for a drill: in a stack of the test world, and in no other. `lianji fault list` shows what is on."""
        said = {
            "institution": institution,
            "by": by,
            "share": share,
            "service": service,
            "merchant": merchant,
            "card": card,
            "rate": rate,
        }
        given = {option: value for option, value in said.items() if value is not None}
        if name == LIST:
            if off or for_ is not None or given:
                raise WrongUseError("list: takes no option but --data-dir, --nats and --json")
            target = Target(data_dir, nats, gateway)
            if not nats and not gateway:
                stackfile.running(data_dir)  # else each fault would say by itself that there is no stack
            _show(options.run(_all(target)), json)
            return
        kind = FAULTS.get(name)
        if kind is None:
            raise WrongUseError(f"name: {name!r} is not one of {', '.join((LIST, *FAULTS))}")
        if off and (given or for_ is not None):
            raise WrongUseError("off: takes no other option; it switches off all of the fault")
        if for_ is not None and for_ <= 0:
            raise WrongUseError(f"for: {for_:g} s is no time")
        chosen = told(kind, given)
        target = Target(data_dir, nats, gateway)
        if off:
            options.run(kind.off(target))
        elif for_ is not None:
            options.run(_for(chosen, target, for_))
        else:
            options.run(chosen.on(target))
        _say(name, options.run(_now(kind, target)), json)


def told(kind: type[Fault], given: dict[str, str | float]) -> Fault:
    """The fault as the options say; raises WrongUseError for one that it does not take."""
    takes: list[str] = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    for option in given:
        if option not in takes:
            which = ", ".join(f"--{name}" for name in takes) or "no option of its own"
            raise WrongUseError(f"{option}: {kind.name} takes {which}")
    return kind(**given)


async def _for(fault: Fault, target: Target, seconds: float) -> None:
    """On for so long, or until Ctrl-C or SIGTERM; it is switched off in any case."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    try:
        await fault.on(target)
        sys.stderr.write(f"{fault.name}: on for {seconds:g} s; Ctrl-C switches it off\n")
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
    finally:
        await fault.off(target)


class Now(NamedTuple):
    """A fault at this moment."""

    on: bool | None
    """None: nobody can tell."""
    state: str


async def _now(fault: type[Fault], target: Target) -> Now:
    """One fault that cannot be told of keeps none of the others from being shown."""
    try:
        state = await fault.state(target)
    except CliError as error:
        return Now(None, str(error))
    return Now(bool(state), state)


async def _all(target: Target) -> dict[str, Now]:
    return {name: await _now(fault, target) for name, fault in FAULTS.items()}


def _say(name: str, now: Now, json: bool) -> None:
    if json:
        print(msgspec.json.encode({"fault": name, **now._asdict()}).decode())
    elif now.on is False:
        print(f"{name} is off")
    else:
        print(f"{name} is {'on' if now.on else 'on or off'}: {now.state}")
        print(f"alert {FAULTS[name].alert} · docs/runbook/{name}.md · lianji fault {name} --off")


def _show(every: dict[str, Now], json: bool) -> None:
    if json:
        print(msgspec.json.encode({name: now._asdict() for name, now in every.items()}).decode())
        return
    table = Table("fault", "now", "what it does", "alert")
    for name, now in every.items():
        word = {True: "[red]on[/]: ", False: "off", None: "[red]?[/] "}[now.on]
        table.add_row(name, word + now.state, FAULTS[name].does, FAULTS[name].alert)
    Console(highlight=False).print(table)
