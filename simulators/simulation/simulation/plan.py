"""A day's plan: what is done and what goes wrong, when. It is drawn from the seed, can be written down, and can be made shorter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Protocol

import msgspec

from simulation import cast
from simulation.faults import FAULTS
from simulation.step import ANYWHERE, SHOP, TRANSFERS, Arguments
from simulation.steps import STEPS

DAY_MS = 7_000
"""From the first step to the last one."""
STEPS_OF_A_DAY, FAULTS_OF_A_DAY = (16, 50), (1, 12)
KINDS_OF_A_DAY = (1, 5)
"""So many kinds of faults a day has, each several times: what is rare together meets more often than when every day has a bit of
everything (swarm testing, Groce et al. 2012)."""

RUSHES, RUSH_MS, IN_A_RUSH = (2, 5), 250, 0.7
"""So often a day everybody comes at once, for so long, and with them most of what goes wrong."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a plan. With a terminal it is a step of STEPS, without one a fault of FAULTS."""

    at_ms: int
    name: str
    terminal: str = ""
    arguments: Arguments = {}

    def __str__(self) -> str:
        who = f"terminal {self.terminal} " if self.terminal else ""
        details = " ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.at_ms / 1000:7.3f}  {who}{self.name} {details}".rstrip()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of a day; `seed` decides what the plan does not say: how long each thing takes."""

    seed: int
    entries: tuple[Entry, ...]

    def only(self, entries: tuple[Entry, ...]) -> Plan:
        return Plan(seed=self.seed, entries=entries)


def draw(seed: int) -> Plan:
    """The plan of a seed: the same on every machine."""
    chance = random.Random(f"plan {seed}")
    shops = chance.sample(cast.TERMINALS, chance.randint(2, 4))
    transfers = [chance.choice(cast.TRANSFER_TERMINALS)]
    places = {SHOP: shops, TRANSFERS: transfers, ANYWHERE: [*shops, *transfers]}
    moments = [chance.randint(0, DAY_MS - RUSH_MS) for _ in range(chance.randint(*RUSHES))]

    def at_ms() -> int:
        if chance.random() < IN_A_RUSH:
            return chance.choice(moments) + chance.randint(0, RUSH_MS)
        return chance.randint(0, DAY_MS)

    faults = {name: FAULTS[name] for name in chance.sample(list(FAULTS), chance.randint(*KINDS_OF_A_DAY))}
    entries = []
    for _ in range(chance.randint(*STEPS_OF_A_DAY)):
        name = _chosen(chance, STEPS)
        step = STEPS[name].draw(chance)
        entries.append(Entry(at_ms=at_ms(), name=name, terminal=chance.choice(places[STEPS[name].at]), arguments=step))
    for _ in range(chance.randint(*FAULTS_OF_A_DAY)):
        name = _chosen(chance, faults)
        entries.append(Entry(at_ms=at_ms(), name=name, arguments=FAULTS[name].draw(chance)))
    return Plan(seed=seed, entries=tuple(sorted(entries, key=lambda entry: entry.at_ms)))


class _Weighed(Protocol):
    @property
    def weight(self) -> int: ...


def _chosen(chance: random.Random, table: Mapping[str, _Weighed]) -> str:
    return chance.choices(list(table), [row.weight for row in table.values()])[0]
