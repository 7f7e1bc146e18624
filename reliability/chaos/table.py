"""All faults. A new one is a line here; a new kind of fault is a class of its own beside."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import world
from lianji.faults.bank import LostAnswers, SlowIssuer
from lianji.faults.clock import Clock
from lianji.faults.disk import FullDisk
from lianji.faults.processes import BROKER
from reliability.chaos.drills import Drilled, before_midnight
from reliability.chaos.fault import BROKER_BACK_S, EVERY_SERVICE, EVERYBODY, ON_THE_BROKER, SERVICE_BACK_S, Fault
from reliability.chaos.lines import TERMINALS, BadLine, Parted
from reliability.chaos.poison import Poison, PoisonedLine
from reliability.chaos.processes import Kill, Pause
from reliability.chaos.proxy import Weather

ISSUER_TIMEOUT_S = 2.0
"""How long the switch of this stack waits for a bank (instead of 10 s), so that what comes too late comes soon."""
KILLS = 4
"""Times in the deck: kills are what this is about."""
HOUR_S = 3600.0

_WEATHER = {
    "drops": Weather(drop=0.05),
    "delays": Weather(late=0.3, late_by_s=0.5),
    "doubles": Weather(duplicate=0.3),
    "reorders": Weather(duplicate=0.2, reorder=0.4),
    "cuts": Weather(cut=0.02),
    "does all of it": Weather(drop=0.02, late=0.1, late_by_s=0.3, duplicate=0.1, reorder=0.1, cut=0.005),
}
_LINES = {TERMINALS: "the terminals' line", "issuer-sim": "the banks' line"}
_CLOCKS = ("terminal-gw", "auth-a", "auth-b", "issuer-sim", "settlement")


def _back_s(name: str) -> float:
    return BROKER_BACK_S if name == BROKER else SERVICE_BACK_S


def _faults() -> Iterator[Fault]:
    for name in EVERYBODY:
        yield Kill(row=f"kill -9 {name}", ends=(name,), back_s=_back_s(name), weight=KILLS, of_a_process=True)
    yield Kill(row="kill -9 of all at once", ends=EVERYBODY, back_s=BROKER_BACK_S, of_a_process=True)
    for seconds in (1.0, 10.0, 60.0):
        for name in EVERYBODY:
            yield Pause(
                row=f"SIGSTOP {seconds:g} s {name}",
                name=name,
                checks=(name,),
                lasts_s=seconds,
                back_s=_back_s(name),
                of_a_process=True,
            )
    for bank in (institution.id for institution in world.built_in().institutions):
        yield Drilled(row=f"slow bank {bank}", drill=partial(SlowIssuer, bank, ISSUER_TIMEOUT_S / 2), lasts_s=3.0)
        yield Drilled(row=f"late bank {bank}", drill=partial(SlowIssuer, bank, 2 * ISSUER_TIMEOUT_S), lasts_s=5.0)
        yield Drilled(row=f"silent bank {bank}", drill=partial(LostAnswers, bank, 0.5), lasts_s=4.0)
    for line, words in _LINES.items():
        for verb, weather in _WEATHER.items():
            yield BadLine(row=f"{words} {verb}", line=line, weather=weather, lasts_s=4.0)
    for name in ON_THE_BROKER:
        yield Parted(row=f"{name} parted from the broker", service=name, checks=(name,), lasts_s=4.0)
    yield Drilled(
        row="full disk of the broker",
        drill=FullDisk,
        ends=(BROKER,),
        checks=ON_THE_BROKER,
        lasts_s=4.0,
        back_s=BROKER_BACK_S,
    )
    for name in _CLOCKS:
        yield Drilled(row=f"clock of {name} + 1 h", drill=partial(Clock, name, HOUR_S), ends=(name,), lasts_s=3.0)
        yield Drilled(row=f"clock of {name} - 1 h", drill=partial(Clock, name, -HOUR_S), ends=(name,), lasts_s=3.0)
        yield Drilled(row=f"midnight at {name}", drill=partial(before_midnight, name, 4.0), ends=(name,), lasts_s=4.0)
    for service in ("terminal-gw", "auth", "issuer-sim", "receipts", "settlement"):
        yield Poison(row=f"poison for {service}", service=service, checks=EVERY_SERVICE)
    yield PoisonedLine(row="poison on the terminals' line", checks=("terminal-gw",))


FAULTS: dict[str, Fault] = {fault.row: fault for fault in _faults()}
