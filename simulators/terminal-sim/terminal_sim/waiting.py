"""What goes before anything else on a terminal's line, in words for its operator."""

from __future__ import annotations

from terminal_sim.record import PendingReversal, TerminalRecord
from terminal_sim.stored import StoredAdvice

REVERSAL_TRIES = 3
"""Of a reversal or a notice; then its operator has to order more."""


def first(record: TerminalRecord) -> str:
    """The reversal, or else the oldest notice; nothing where none is due."""
    if record.pending is not None:
        return of_reversal(record.tid, record.pending)
    advice = next(iter(record.advices.values()), None)
    return "" if advice is None else of_advice(record.tid, advice)


def of_reversal(tid: str, pending: PendingReversal) -> str:
    where = f"terminal {tid}: the reversal of {pending.batch}/{pending.stan}"
    if pending.tries >= REVERSAL_TRIES:
        return f"{where} has not gone through after {pending.tries} tries; recover it before the next transaction"
    return f"{where} goes first"


def of_advice(tid: str, advice: StoredAdvice) -> str:
    where = f"terminal {tid}: the notice {advice.batch}/{advice.stan}"
    if advice.tries >= REVERSAL_TRIES:
        return f"{where} has not been taken after {advice.tries} tries; recover it before the next transaction"
    return f"{where} goes first"
