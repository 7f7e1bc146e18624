"""What the switch checks of a kind beyond what it checks of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from auth.domain.claims import Claiming
from auth.domain.register import Register
from contracts.authorization import Target
from contracts.pan import Pan


class Rules(NamedTuple):
    """A row of `auth.domain.kinds.RULES`. By its defaults: an amount, within the merchant's limit, asked of the card's bank."""

    amount: bool = True
    """There is one, above 0; else it is 0."""
    limited: bool = True
    """It is held to the merchant's limit per transaction."""
    floor: bool = False
    """It is held to the merchant's floor limit."""
    part: bool = False
    """The bank may approve a part of it."""
    plan: bool = False
    """It comes with the plan of an instalment sale."""
    stoppable: bool = True
    """The stop list is asked. Not of a completion that is told as a notice: the goods have gone, on a hold that was approved in its time."""
    claiming: Claiming | None = None
    """It is about an original, which it names."""
    target: Callable[[Register, Pan, Target], str] | None = None
    """It goes to a second card, whose bank is asked after the first: why it may not, the first card given; empty where it may."""
