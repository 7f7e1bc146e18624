"""A transaction's way through the journal, as one row."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from contracts.journal import Intent, Tombstone
from contracts.kinds import KINDS, Effect, KindFacts
from contracts.states import State

TABLE = "transactions"

STANDS = "t.state IN ('approved', 'settled')"
"""SQL: approved and not reversed."""
UNFINISHED = "state IN ('intent', 'reversing') OR waiting <> ''"
"""SQL: what an owner still has to do: an intent without outcome, a reversal or an advice that a bank has not acknowledged."""


def _kinds(chosen: Callable[[KindFacts], bool]) -> str:
    return ", ".join(repr(kind.value) for kind, facts in KINDS.items() if chosen(facts))


SETTLES = f"t.kind IN ({_kinds(lambda facts: facts.settles)})"
"""SQL: of a kind that is settled with its merchant."""
POSTS = f"({SETTLES} OR t.effect = '{Effect.MOVES.value}' AND t.target_institution <> t.institution)"
"""SQL: it has entries in settlement's ledger: between bank and merchant, or from bank to bank."""
PRINTS = f"t.kind IN ({_kinds(lambda facts: facts.slip)})"
"""SQL: of a kind of which slips print."""
ADVICE = f"t.kind IN ({_kinds(lambda facts: facts.advice)})"
"""SQL: a notice, which its bank books whatever the account holds."""
REVERSIBLE = f"t.kind IN ({_kinds(lambda facts: facts.reversible)})"
"""SQL: whose terminal reverses it when no answer comes; of the others the terminal asks again, or never minds."""


class Path(msgspec.Struct, gc=False):
    """The row; the key comes first."""

    id: str
    shard: str
    rrn: str
    kind: str
    effect: str
    charge: int
    """What an approval of 1 takes from the cardholder's account: 1, -1 or 0."""
    terminal: str
    merchant: str
    batch: str
    stan: str
    operator: str
    entry_mode: str
    card: str
    """Masked."""
    asked_minor: int
    amount_minor: int
    """What was approved of it, where that is less."""
    currency: str
    institution: str
    target_institution: str
    """Of a transfer: the bank that is given."""
    target: str
    """Of a transfer: the card that is given, masked."""
    original: str
    """The transaction that this one is about."""
    original_rrn: str
    periods: int
    """Of an instalment sale; with them, once it is approved, the first payment and the fee in all."""
    trace: str
    """Trace id of the intent or tombstone."""
    begun_ms: int
    begun_sequence: int
    state: str
    steps: str
    waiting: str
    """Institutions that have yet to acknowledge a reversal, or the advice of what was approved in their stead, with commas."""
    chip: str = ""
    """What is kept of a chip's part in it (contracts.chip.ChipFacts) as JSON; empty where there was none."""
    response_code: str = ""
    authorization_code: str = ""
    first_minor: int = 0
    fee_minor: int = 0
    approved: bool = False
    settled: bool = False
    undone: bool = False
    """Reversed after it had been approved."""
    decided_ms: int = 0
    decided_sequence: int = 0
    decided_position: int = 0
    undone_ms: int = 0
    undone_sequence: int = 0
    late_sequence: int = 0
    """Of a bank's answer that came after the reversal."""
    objection: str = ""
    """Why its claim was not legal when its intent was written."""
    claiming: bool = False
    """Its claim stands on its original."""
    claims: int = 0
    """How many claims stand on it."""
    alone: int = 0
    """How many of them are exclusive."""
    taken_minor: int = 0
    """What they come to."""
    falling: bool = False
    """Its claim is being reversed."""
    falling_claims: int = 0
    stood_in: bool = False
    """Approved by the switch in its bank's stead."""
    told: bool = True
    """False: it was, and the bank has not acknowledged the advice."""
    again: bool = False
    """Its end was recorded again by a restore, at another place than before."""


def trace_id(traceparent: str) -> str:
    """The trace of a W3C traceparent (Trace Context, 3.2.2); empty when there is none."""
    return traceparent[3:35]


def begin(record: Intent | Tombstone, shard: str, sequence: int) -> Path:
    """The path that an intent begins, or the tombstone of what nobody knows."""
    intent = record if isinstance(record, Intent) else None
    state = State.INTENT if intent else State.REVERSING
    facts = KINDS[record.kind]
    return Path(
        id=record.id,
        shard=shard,
        rrn=record.rrn,
        kind=record.kind.value,
        effect=facts.effect.value,
        charge=facts.charge,
        terminal=record.terminal,
        merchant=record.merchant,
        batch=record.batch,
        stan=record.stan,
        operator=intent.operator if intent else "",
        entry_mode=intent.entry_mode if intent else "",
        card=str(intent.card) if intent else "",
        asked_minor=record.amount_minor,
        amount_minor=record.amount_minor,
        currency=record.currency,
        institution=intent.institution if intent else "",
        target_institution=intent.target_institution if intent else "",
        target=str(intent.target) if intent and intent.target else "",
        original=intent.original if intent else "",
        original_rrn=intent.original_rrn if intent else "",
        periods=intent.instalment.periods if intent and intent.instalment else 0,
        trace=trace_id(record.trace),
        begun_ms=record.at_ms,
        begun_sequence=sequence,
        state=state.value,
        steps=state.value,
        chip=msgspec.json.encode(intent.chip).decode() if intent and intent.chip else "",
        waiting="" if isinstance(record, Intent) else ",".join(record.institutions),
    )


def banks(path: Path) -> str:
    """The institutions that a reversal of it is told, with commas: both of a transfer's, one where they are the same."""
    return ",".join(dict.fromkeys(name for name in (path.institution, path.target_institution) if name))
