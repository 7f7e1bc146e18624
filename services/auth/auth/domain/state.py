"""What a shard knows: its open batches, ahead of the journal only by what is in flight. `apply` is the only writer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from contracts.authorization import Totals
from contracts.journal import (
    BatchClosed,
    BatchUnbalanced,
    EpochStarted,
    Intent,
    LateAnswer,
    Outcome,
    Record,
    Reversed,
    Reversing,
    SignedOff,
    SignedOn,
    Tombstone,
)
from contracts.kinds import KINDS, Kind
from contracts.states import State, advance

FIRST_BATCH = "000001"


class Transaction(msgspec.Struct, kw_only=True, gc=False):
    """A transaction of an open batch, or of the one before it. Holds no container that could point back, so the collector skips it."""

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    institution: str
    fingerprint: str
    trace: str
    state: State
    at_ms: int
    """When it was decided: what the answer says, and every repetition of it."""
    response_code: str = ""
    authorization_code: str = ""
    reversed_at_ms: int = 0
    undelivered: tuple[str, ...] = ()
    """Institutions that have yet to acknowledge the reversal."""


class ClosedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """How a terminal's last batch was closed: what a repeated 0500 is answered."""

    batch: str
    rrn: str
    at_ms: int
    totals: Totals


class Terminal(msgspec.Struct, kw_only=True):
    """A terminal as the switch sees it."""

    batch: str = FIRST_BATCH
    operator: str = ""
    signed_on: bool = False
    transactions: list[str] = []
    """Ids in the open batch, in order."""
    previous: list[str] = []
    """Ids in the batch that was closed last: a late reversal may still name them."""
    closed: ClosedBatch | None = None


class Shard(msgspec.Struct, kw_only=True):
    """The whole state of one shard."""

    epoch: int = 0
    number: int = 0
    """The last one given out for an RRN."""
    terminals: dict[str, Terminal] = {}
    transactions: dict[str, Transaction] = {}
    intents: dict[str, None] = {}
    """Ids without an outcome, in order."""
    reversals: dict[str, dict[str, None]] = {}
    """Institution → ids whose reversal it has yet to acknowledge, in order."""

    def terminal(self, number: str) -> Terminal:
        """The terminal, as new when nothing is known of it. Does not add it: only `apply` writes."""
        return self.terminals.get(number) or Terminal()

    def kept_from(self, terminal: str) -> str:
        """The terminal's oldest batch of which something is kept: what it did before is final, and comes no more. Empty: nothing can be said.

        Numbers of batches begin again after 999999, and then the older one is not the smaller.
        """
        own = self.terminals.get(terminal)
        if own is None:
            return ""
        ids = own.previous or own.transactions
        oldest = self.transactions[ids[0]].batch if ids else own.batch
        return oldest if oldest <= own.batch else ""

    def batch_transactions(self, terminal: str) -> Iterator[Transaction]:
        for id_ in self.terminal(terminal).transactions:
            yield self.transactions[id_]


def totals_of(shard: Shard, terminal: str) -> Totals:
    """What the host counts in a terminal's open batch: what stands approved, by debit and credit kinds (field 48)."""
    minor, count = {True: 0, False: 0}, {True: 0, False: 0}
    for transaction in shard.batch_transactions(terminal):
        if transaction.state is State.APPROVED:
            debit = KINDS[transaction.kind].debit
            minor[debit] += transaction.amount_minor
            count[debit] += 1
    return Totals(
        debit_minor=minor[True], debit_count=count[True], credit_minor=minor[False], credit_count=count[False]
    )


def apply(shard: Shard, record: Record) -> None:
    """Moves the shard by one record of its journal. Total: a record that cannot follow raises IllegalMoveError, which is a bug."""
    match record:
        case Intent():
            _apply_intent(shard, record)
        case Outcome():
            transaction = shard.transactions[record.id]
            transaction.state = advance(transaction.state, record.state)
            transaction.response_code = record.response_code
            transaction.authorization_code = record.authorization_code
            transaction.at_ms = record.at_ms
            del shard.intents[record.id]
        case Reversing():
            _apply_reversing(shard, record)
        case Reversed():
            _apply_reversed(shard, record)
        case Tombstone():
            _apply_tombstone(shard, record)
        case SignedOn():
            _number(shard, record.rrn)
            terminal = _own(shard, record.terminal)
            terminal.signed_on, terminal.operator = True, record.operator
        case SignedOff():
            _own(shard, record.terminal).signed_on = False
        case BatchClosed():
            _apply_batch_closed(shard, record)
        case BatchUnbalanced():
            _number(shard, record.rrn)
        case EpochStarted():
            shard.epoch = record.epoch
        case LateAnswer():
            return  # evidence, not a move


def _own(shard: Shard, number: str) -> Terminal:
    terminal = shard.terminals.get(number)
    if terminal is None:
        terminal = shard.terminals[number] = Terminal()
    return terminal


def _number(shard: Shard, rrn: str) -> None:
    shard.number = max(shard.number, int(rrn[2:]))


def _apply_intent(shard: Shard, record: Intent) -> None:
    known = shard.transactions.get(record.id)
    advance(known.state if known else None, State.INTENT)
    _number(shard, record.rrn)
    shard.transactions[record.id] = Transaction(
        id=record.id,
        rrn=record.rrn,
        kind=record.kind,
        terminal=record.terminal,
        merchant=record.merchant,
        batch=record.batch,
        stan=record.stan,
        amount_minor=record.amount_minor,
        currency=record.currency,
        institution=record.institution,
        fingerprint=record.fingerprint,
        trace=record.trace,
        state=State.INTENT,
        at_ms=record.at_ms,
    )
    shard.intents[record.id] = None
    _own(shard, record.terminal).transactions.append(record.id)


def _apply_reversing(shard: Shard, record: Reversing) -> None:
    transaction = shard.transactions[record.id]
    transaction.state = advance(transaction.state, State.REVERSING)
    transaction.reversed_at_ms = record.at_ms
    transaction.undelivered = (transaction.institution,)
    if record.response_code:
        transaction.response_code = record.response_code
        transaction.at_ms = record.at_ms
    shard.intents.pop(record.id, None)
    shard.reversals.setdefault(transaction.institution, {})[record.id] = None


def _apply_tombstone(shard: Shard, record: Tombstone) -> None:
    known = shard.transactions.get(record.id)
    _number(shard, record.rrn)
    shard.transactions[record.id] = Transaction(
        id=record.id,
        rrn=record.rrn,
        kind=record.kind,
        terminal=record.terminal,
        merchant=record.merchant,
        batch=record.batch,
        stan=record.stan,
        amount_minor=record.amount_minor,
        currency=record.currency,
        institution="",
        fingerprint="",
        trace=record.trace,
        state=advance(known.state if known else None, State.REVERSING),
        at_ms=record.at_ms,
        reversed_at_ms=record.at_ms,
        undelivered=record.institutions,
    )
    for institution in record.institutions:
        shard.reversals.setdefault(institution, {})[record.id] = None
    _own(shard, record.terminal).transactions.append(record.id)


def _apply_reversed(shard: Shard, record: Reversed) -> None:
    transaction = shard.transactions[record.id]
    transaction.undelivered = tuple(i for i in transaction.undelivered if i != record.institution)
    shard.reversals[record.institution].pop(record.id, None)
    if not transaction.undelivered:
        transaction.state = advance(transaction.state, State.REVERSED)


def _apply_batch_closed(shard: Shard, record: BatchClosed) -> None:
    _number(shard, record.rrn)
    terminal = _own(shard, record.terminal)
    kept = []
    for id_ in terminal.previous:  # what is two batches old leaves memory, unless an issuer has yet to hear of it
        if shard.transactions[id_].state is State.REVERSING:
            kept.append(id_)
        else:
            del shard.transactions[id_]
    for transaction in shard.batch_transactions(record.terminal):
        if transaction.state is State.APPROVED:
            transaction.state = advance(transaction.state, State.SETTLED)
    terminal.previous = kept + terminal.transactions
    terminal.transactions = []
    terminal.batch = record.next_batch
    terminal.signed_on = False
    terminal.closed = ClosedBatch(batch=record.batch, rrn=record.rrn, at_ms=record.at_ms, totals=record.totals)
