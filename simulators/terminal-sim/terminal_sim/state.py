"""The states of a terminal and the one table of moves between them."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a terminal stands. The states in -ING wait for an answer: one request is in flight."""

    IDLE = "idle"
    """Nobody has logged in."""
    LOGGED_IN = "logged in"
    """An operator is there; there are no session keys."""
    SIGNED_ON = "signed on"
    SIGNING_ON = "signing on"
    REQUESTING = "requesting"
    """A transaction of any kind; which one, and what its silence means, its memory says."""
    REVERSING = "reversing"
    RESENDING = "resending"
    SETTLING = "settling"
    UPLOADING = "uploading"
    ECHOING = "echoing"
    DOWNLOADING = "downloading"
    TELLING = "telling"
    """What a chip has made of its bank's orders."""
    SIGNING_OFF = "signing off"


class IllegalMoveError(Exception):
    """A move that TRANSITIONS does not hold: a bug, never an outcome."""


_BACK = frozenset({State.SIGNED_ON, State.LOGGED_IN})  # LOGGED_IN when the host asks to sign on again

TRANSITIONS: dict[State, frozenset[State]] = {
    # SIGNED_ON at once when the session was kept from before the power went.
    State.IDLE: frozenset({State.LOGGED_IN, State.SIGNED_ON}),
    # A sign-off needs no keys: it follows the batch close, which ends the session.
    State.LOGGED_IN: frozenset({State.IDLE, State.SIGNING_ON, State.SIGNING_OFF}),
    State.SIGNING_ON: _BACK,
    State.SIGNED_ON: frozenset(
        {
            State.IDLE,
            State.SIGNING_ON,
            State.REQUESTING,
            State.REVERSING,
            State.RESENDING,
            State.SETTLING,
            State.UPLOADING,
            State.ECHOING,
            State.DOWNLOADING,
            State.TELLING,
            State.SIGNING_OFF,
        }
    ),
    State.REQUESTING: _BACK,
    State.REVERSING: _BACK,
    State.RESENDING: _BACK,
    State.SETTLING: _BACK,
    State.UPLOADING: _BACK,
    State.ECHOING: _BACK,
    State.DOWNLOADING: _BACK,
    State.TELLING: _BACK,
    # The session is over for the terminal whatever the host says to that.
    State.SIGNING_OFF: frozenset({State.LOGGED_IN}),
}


def advance(current: State, to: State) -> State:
    """The new state, or IllegalMoveError when the table has no such edge."""
    if to not in TRANSITIONS[current]:
        raise IllegalMoveError(f"terminal: no move from {current} to {to}")
    return to
