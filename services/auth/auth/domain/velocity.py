"""Velocity limits: how much may be asked for at one terminal, or with one card, within a time.

Counted by the host time of the intents, in the shard's state: a replay counts alike. What is declined or reversed is given back. A card is
known by its digest, so its windows begin anew when the data key is rotated; and each shard counts for itself (docs/switch-rules.md).

A window slides in steps of a twelfth, and a step counts until the last moment of it is outside: in no window of the given length is ever more
let through than the limit says, and what is older than thirteen twelfths of it counts no more. A host clock that goes back stands still here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from auth.domain.transaction import Particulars, Transaction
from contracts import response_codes as rc
from contracts.kinds import Kind

CARD, TERMINAL = "card", "terminal"
STEPS = 12
KEYS_KEPT = 50_000
"""Cards or terminals in one window's memory. When there are more, the one that was counted longest ago begins anew."""
COUNTED = frozenset({Kind.SALE, Kind.PRE_AUTH, Kind.INSTALMENT, Kind.TRANSFER})
"""What asks anew for money. A completion was counted when it was authorized, and a notice cannot be refused for what has happened."""


class Limit(NamedTuple):
    """One limit; 0 of a number is no limit."""

    scope: str
    """CARD or TERMINAL."""
    window_ms: int
    most: int = 0
    """Transactions."""
    most_minor: int = 0
    """What they come to."""


class Step(msgspec.Struct, kw_only=True, gc=False):
    """A twelfth of a window."""

    number: int
    """Of the step since 1970."""
    count: int = 0
    amount_minor: int = 0


class Window(msgspec.Struct, kw_only=True):
    """A limit and what counts towards it."""

    limit: Limit
    steps: dict[str, list[Step]] = {}
    """By card or terminal, the one that was counted last at the end; its steps in order."""

    @property
    def step_ms(self) -> int:
        return -(-self.limit.window_ms // STEPS)


class Velocity(msgspec.Struct, kw_only=True):
    """The limits of a shard and where they stand."""

    at_ms: int = 0
    """The latest host time that was counted."""
    windows: list[Window] = []


def begun(limits: Iterable[Limit]) -> Velocity | None:
    """Nothing counted yet; None where nothing is limited, so that nobody counts."""
    windows = [Window(limit=limit) for limit in limits]
    return Velocity(windows=windows) if windows else None


def refusal(velocity: Velocity, kind: Kind, *, terminal: str, card: str, amount_minor: int, at_ms: int) -> str:
    """61 or 65 where one more would be over a limit, the first limit first; empty: it may be asked for. `card`: its digest."""
    if kind not in COUNTED:
        return ""
    now_ms = max(at_ms, velocity.at_ms)
    for window in velocity.windows:
        count, minor, limit = 1, amount_minor, window.limit
        oldest = now_ms // window.step_ms - STEPS
        for step in window.steps.get(card if limit.scope == CARD else terminal, ()):
            if step.number >= oldest:
                count += step.count
                minor += step.amount_minor
        if limit.most_minor and minor > limit.most_minor:
            return rc.OVER_AMOUNT_LIMIT
        if limit.most and count > limit.most:
            return rc.OVER_COUNT_LIMIT
    return ""


def begin(velocity: Velocity, transaction: Transaction, card: str) -> None:
    """Counts one that is asked for, and notes with it what `undo` has to know."""
    particulars = transaction.particulars = transaction.particulars or Particulars()
    minor, at_ms = transaction.amount_minor, transaction.at_ms
    particulars.card_digest, particulars.counted_minor = card, minor
    particulars.counted_ms = count(velocity, terminal=transaction.terminal, card=card, amount_minor=minor, at_ms=at_ms)


def undo(velocity: Velocity, transaction: Transaction) -> None:
    """It has come to nothing, and does not count any more if it did."""
    more = transaction.more
    if more.counted_ms:
        give_back(
            velocity,
            terminal=transaction.terminal,
            card=more.card_digest,
            amount_minor=more.counted_minor,
            counted_ms=more.counted_ms,
        )


def count(velocity: Velocity, *, terminal: str, card: str, amount_minor: int, at_ms: int) -> int:
    """Counts one that is asked for; gives the time under which it was, with which it is given back."""
    velocity.at_ms = max(at_ms, velocity.at_ms)
    for window in velocity.windows:
        key, number = card if window.limit.scope == CARD else terminal, velocity.at_ms // window.step_ms
        steps = window.steps[key] = [step for step in window.steps.pop(key, ()) if step.number >= number - STEPS]
        if not steps or steps[-1].number != number:
            steps.append(Step(number=number))
        steps[-1].count += 1
        steps[-1].amount_minor += amount_minor
        _forget(window, number)
    return velocity.at_ms


def _forget(window: Window, number: int) -> None:
    """Drops keys of which nothing counts any more, and the oldest ones beyond KEYS_KEPT. The first key is the one that was counted longest ago."""
    while True:
        key, steps = next(iter(window.steps.items()))
        if steps[-1].number >= number - STEPS and len(window.steps) <= KEYS_KEPT:
            return
        del window.steps[key]


def give_back(velocity: Velocity, *, terminal: str, card: str, amount_minor: int, counted_ms: int) -> None:
    """What was counted at `counted_ms` has come to nothing. It may be so old that it counts no more."""
    for window in velocity.windows:
        number = counted_ms // window.step_ms
        for step in window.steps.get(card if window.limit.scope == CARD else terminal, ()):
            if step.number == number:
                step.count -= 1
                step.amount_minor -= amount_minor
