"""What a step of a day is made of, and how it says what came of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import world
from terminal_sim.results import SwipeResult
from terminal_sim.till import Till

Arguments = dict[str, str | int]


class Wronged(Exception):  # noqa: N818 - says what has happened
    """The stack has answered what it may not answer, whatever was in its way; the text says what."""


SHOP, TRANSFERS, ANYWHERE = "shop", "transfers", "anywhere"
"""What terminals a step is for: those of shops, those for transfers, all."""


class Step(NamedTuple):
    """One thing that an operator does at a till."""

    what: str
    weight: int
    draw: Callable[[random.Random], Arguments]
    do: Callable[[Till, Arguments], Awaitable[str]]
    """Says what came of it; Wronged."""
    at: str = SHOP


def nothing(_: random.Random) -> Arguments:
    return {}


def card_of(arguments: Arguments) -> world.Card:
    card = world.built_in().card(str(arguments["card"]))
    assert card is not None  # noqa: S101 - of cast.CARDS, or drawn by name
    return card


def told(result: SwipeResult) -> str:
    """In a line."""
    if result.refused:
        return f"not sent: {result.refused}"
    if result.stored and not result.rc:
        return f"{result.batch}/{result.stan} → kept"
    code = result.rc or f"no answer ({result.reason})"
    return f"{result.batch}/{result.stan} → {code}{' RRN ' + result.rrn if result.rrn else ''}"
