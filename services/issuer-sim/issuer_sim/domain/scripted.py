"""Answers scripted by amount, for testing what stands before the bank. docs/issuer-simulator.md is their description."""

from __future__ import annotations

from typing import NamedTuple


class Script(NamedTuple):
    """What an amount makes the bank do."""

    response_code: str = ""
    """Refuse with this code; empty: decide as always."""
    posts: bool = True
    """False: the bank loses the request; nothing is recorded."""
    answers: bool = True
    decide_after_s: float = 0.0
    """The request waits this long before anything is decided; a reversal that comes meanwhile wins."""
    answer_after_s: float = 0.0
    """An approval is posted at once and answered this much later."""


PLAIN = Script()

FIRST_CODE_MINOR, LAST_CODE_MINOR = 800_001, 800_099
"""8,000.01 to 8,000.99: the last two digits are the response code."""

_SCRIPTS = {
    800_100: Script(posts=False, answers=False),
    800_200: Script(answer_after_s=12.0),  # the switch waits 10 s
    800_300: Script(decide_after_s=2.0),
    800_400: Script(answers=False),
}


def script_for(amount_minor: int) -> Script:
    """The script of an amount; PLAIN for every ordinary one.

    >>> script_for(800_005).response_code, script_for(800_000) is PLAIN
    ('05', True)
    """
    if FIRST_CODE_MINOR <= amount_minor <= LAST_CODE_MINOR:
        return Script(response_code=f"{amount_minor % 100:02d}")
    return _SCRIPTS.get(amount_minor, PLAIN)
