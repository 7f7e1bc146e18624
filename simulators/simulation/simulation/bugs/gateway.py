"""Bugs of the gateway."""

from __future__ import annotations

from simulation.bugs.bug import Replaced
from terminal_gw import requests, sales
from terminal_gw.answers import Refusal
from terminal_gw.switch import Silence


def _silence_is_no(silence: Silence) -> Refusal | None:
    """What nobody knows is called refused."""
    return requests.from_silence(Silence.NOT_DELIVERED)


SILENCE_IS_NO = (Replaced(sales, "from_silence", _silence_is_no),)
