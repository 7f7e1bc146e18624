"""Which records make a slip: the approvals of kinds that print one. A slip whose transaction is reversed or voided later says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from contracts.journal import Intent, Outcome, Record, Reversing, Tombstone
from contracts.kinds import CLAIMS, KINDS
from contracts.states import State
from receipts.domain.slip import SlipFacts

_VOIDS = frozenset(kind for kind, claim in CLAIMS.items() if claim.whole)
"""The kinds that undo their original; a completion and a refund leave it what it was."""


class FilingError(Exception):
    """The journal says what the file cannot hold. The projection stops here and skips nothing; the text names the place."""


class Names(NamedTuple):
    """The words on a slip that the journal has only numbers for."""

    merchant: Callable[[str], str]
    """Merchant number → name."""
    institution: Callable[[str], str]
    """Institution id → name."""
    acquirer: str


class Slip(msgspec.Struct, frozen=True, kw_only=True):
    """A slip: the facts that both its copies are laid out from."""

    transaction: str
    sequence: int
    """The group of the journal that approved it."""
    position: int
    """The record in that group, from 0."""
    facts: SlipFacts
    trace: str
    """W3C traceparent of the approval; not kept."""

    @property
    def voids(self) -> str:
        """The transaction that this one undoes while it stands; empty when there is none."""
        return self.facts.original if self.facts.kind in _VOIDS else ""


class File:
    """What is known before a list of records, and what the records make of it.

    `pending` holds the facts of intents without outcome. `filed` names the transactions that have a slip already.
    """

    def __init__(self, names: Names, pending: Mapping[str, SlipFacts], filed: Collection[str]) -> None:
        self._names = names
        self._known = frozenset(pending)
        self._filed = frozenset(filed)
        self._pending = dict(pending)
        self.slips: dict[str, Slip] = {}
        self.reversed: dict[str, int] = {}
        """Transaction → host time of the reversal."""

    @property
    def began(self) -> dict[str, SlipFacts]:
        """New intents that still wait for their outcome."""
        return {id: facts for id, facts in self._pending.items() if id not in self._known}

    @property
    def ended(self) -> set[str]:
        """Intents known before that wait no more."""
        return set(self._known - self._pending.keys())

    def take(self, sequence: int, position: int, record: Record) -> None:
        """One record; raises FilingError."""
        if isinstance(record, Intent):
            self._begin(record)
        elif isinstance(record, Outcome):
            facts = self._pending.pop(record.id, None)
            if facts is None:
                raise FilingError(f"transaction {record.id}: it has an outcome, but no open intent")
            if record.state is State.APPROVED and KINDS[facts.kind].slip:
                self._file(sequence, position, record, facts)
        elif isinstance(record, Reversing):
            self._reverse(record)
        elif isinstance(record, Tombstone) and (record.id in self._filed or record.id in self.slips):
            # A reversal of what the switch has archived: unknown there, but its slip is here.
            self.reversed.setdefault(record.id, record.at_ms)

    def _begin(self, record: Intent) -> None:
        if record.id in self._pending or record.id in self.slips:
            raise FilingError(f"transaction {record.id}: begun twice")
        self._pending[record.id] = SlipFacts(
            rrn=record.rrn,
            kind=record.kind,
            terminal=record.terminal,
            merchant=record.merchant,
            merchant_name=self._names.merchant(record.merchant),
            operator=record.operator,
            issuer_name=self._names.institution(record.institution),
            acquirer=self._names.acquirer,
            card=str(record.card),
            entry_mode=record.entry_mode,
            batch=record.batch,
            stan=record.stan,
            amount_minor=record.amount_minor,
            currency=record.currency,
            at_ms=record.at_ms,
            original=record.original,
            original_rrn=record.original_rrn,
            target_card=str(record.target) if record.target is not None else "",
            periods=record.instalment.periods if record.instalment is not None else 0,
            chip=record.chip,
        )

    def _file(self, sequence: int, position: int, record: Outcome, intent: SlipFacts) -> None:
        facts = msgspec.structs.replace(intent, at_ms=record.at_ms, authorization_code=record.authorization_code)
        if record.part_minor:
            facts = msgspec.structs.replace(facts, amount_minor=record.part_minor, asked_minor=intent.amount_minor)
        if (terms := record.instalment) is not None:
            facts = msgspec.structs.replace(facts, first_minor=terms.first_minor, fee_minor=terms.fee_minor)
        self.slips[record.id] = Slip(
            transaction=record.id,
            sequence=sequence,
            position=position,
            facts=facts,
            trace=record.trace,
        )

    def _reverse(self, record: Reversing) -> None:
        if self._pending.pop(record.id, None) is not None:
            return  # nobody was told of an approval: there is no slip
        if record.id not in self.slips and record.id not in self._filed:
            raise FilingError(f"transaction {record.id}: it is reversed, but it has neither an open intent nor a slip")
        self.reversed.setdefault(record.id, record.at_ms)


def needed(records: Iterable[Record]) -> set[str]:
    """The transactions that a File must know before it takes `records`: those that move and do not begin in them."""
    begun: set[str] = set()
    ids: set[str] = set()
    for record in records:
        if isinstance(record, Intent):
            begun.add(record.id)
        elif isinstance(record, Outcome | Reversing | Tombstone) and record.id not in begun:
            ids.add(record.id)
    return ids
