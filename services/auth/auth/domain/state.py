"""What a shard knows: its open batches, ahead of the journal only by what is in flight. `apply` is the only writer.

What stands on an original (contracts.kinds.CLAIMS) is kept with the original, for as long as it is in memory: a claim stands from its intent on,
and falls when it is declined or its reversal is acknowledged. An original that has been forgotten is asked of the settlement ledger, and
`Shard.unseen` says whether its answer is still true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from auth.domain import advices, stop_list, velocity
from auth.domain.advices import Advices
from auth.domain.batch import ClosedBatch, Terminal, Upload
from auth.domain.transaction import Particulars, Standing, Transaction, recalled
from auth.domain.velocity import Velocity
from contracts.authorization import BALANCED, NOT_BALANCED
from contracts.batch import SETTLING
from contracts.identity import transaction_id
from contracts.journal import (
    Advised,
    BatchClosed,
    BatchUnbalanced,
    BatchUploaded,
    BreakFound,
    CryptogramUploaded,
    DayCut,
    EpochStarted,
    Intent,
    LateAnswer,
    Outcome,
    Recalled,
    Record,
    Reversed,
    Reversing,
    SignedOff,
    SignedOn,
    StopLifted,
    StopListed,
    Tombstone,
)
from contracts.kinds import ADVICES, CLAIMS, KINDS
from contracts.states import IllegalMoveError, State, advance

RECALLED_KEPT = 1024
"""Recalled transactions in memory: when there are more, the one that was recalled first is forgotten again."""


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
    recalled: dict[str, None] = {}
    """Ids that were recalled and are in memory, in order."""
    advices: Advices = msgspec.field(default_factory=Advices)
    """What was approved in banks' stead and they have yet to be told: notices that they have not answered are of it."""
    unseen: int = 0
    """How often it has changed what stands on transactions that are not in memory. What the settlement ledger says of them holds for as long as
    this is what it was before the ledger was asked."""
    stops: stop_list.StopList = msgspec.field(default_factory=stop_list.StopList)
    day: str = ""
    """The last business day that has been ended, YYYY-MM-DD; empty: none has."""
    cut_ms: int = 0
    """When that was, host time."""
    velocity: Velocity | None = None
    """None where no velocity is limited."""

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

    def may_have_forgotten(self, terminal: str, batch: str) -> bool:
        """Whether there may have been transactions of that batch that are not in memory any more: it is neither the open one nor the last."""
        own = self.terminals.get(terminal)
        return own is not None and own.closed is not None and batch not in (own.batch, own.closed.batch)

    def being_reversed_minor(self, original: str) -> int:
        """What those claims on an original come to that still stand, and whose reversal is on its way. To be asked before a refusal only."""
        ids = {id_ for queue in self.reversals.values() for id_ in queue}
        claims = (self.transactions[id_] for id_ in ids)
        return sum(claim.amount_minor for claim in claims if claim.more.original == original)

    def batch_transactions(self, terminal: str) -> Iterator[Transaction]:
        for id_ in self.terminal(terminal).transactions:
            yield self.transactions[id_]


def apply(shard: Shard, record: Record) -> None:
    """Moves the shard by one record of its journal. Total: a record that cannot follow raises IllegalMoveError, which is a bug."""
    match record:
        case Intent():
            _apply_intent(shard, record)
        case Outcome():
            _apply_outcome(shard, record)
        case Advised():
            advices.told(shard.advices, shard.transactions[record.id])
        case Reversing():
            _apply_reversing(shard, record)
        case Reversed():
            _apply_reversed(shard, record)
        case SignedOn() | SignedOff():
            _apply_signed(shard, record)
        case Tombstone() | Recalled() | BatchClosed() | BatchUnbalanced() | BatchUploaded() | CryptogramUploaded():
            _RARER[type(record)](shard, record)
        case EpochStarted():
            shard.epoch = record.epoch
        case StopListed() | StopLifted():
            stop_list.apply(shard.stops, record)
        case DayCut():
            shard.day, shard.cut_ms = record.day, record.at_ms
        case LateAnswer() | BreakFound():
            return  # evidence, not a move


def _own(shard: Shard, number: str) -> Terminal:
    terminal = shard.terminals.get(number)
    if terminal is None:
        terminal = shard.terminals[number] = Terminal()
    return terminal


def _apply_signed(shard: Shard, record: SignedOn | SignedOff) -> None:
    terminal = _own(shard, record.terminal)
    terminal.signed_on = isinstance(record, SignedOn)
    if isinstance(record, SignedOn):
        _number(shard, record.rrn)
        terminal.operator = record.operator


def _number(shard: Shard, rrn: str) -> None:
    shard.number = max(shard.number, int(rrn[2:]))


def _apply_intent(shard: Shard, record: Intent) -> None:
    known = shard.transactions.get(record.id)
    advance(known.state if known else None, State.INTENT)
    _number(shard, record.rrn)
    transaction = shard.transactions[record.id] = Transaction(
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
    terminal = _own(shard, record.terminal)
    terminal.transactions.append(record.id)
    _count(terminal, transaction, 1)
    terminal.upload = None  # what was told of the batch is not all of it any more: the close has to be asked for again
    if record.original or record.target_institution:
        transaction.particulars = Particulars(original=record.original, target_institution=record.target_institution)
        _stand(shard, transaction)
    if record.kind in ADVICES:
        advices.may_be_owed(transaction, record)
    if shard.velocity is not None and record.kind in velocity.COUNTED:
        velocity.begin(shard.velocity, transaction, record.card.digest)


def _count(terminal: Terminal, transaction: Transaction, places: int) -> None:
    """So many places more, or less, are taken in the batch, if it is the transaction's and this one of those that are settled with it."""
    if transaction.kind in SETTLING and transaction.batch == terminal.batch:
        terminal.settling += places


def _stand(shard: Shard, claim: Transaction) -> None:
    """From here on `claim` stands on its original, if it has one."""
    if not claim.more.original:
        return
    original = shard.transactions.get(claim.more.original)
    if original is None:
        shard.unseen += 1
        return
    standing = original.standing = original.standing or Standing()
    standing.taken_minor += claim.amount_minor
    standing.spent = standing.spent or CLAIMS[claim.kind].exclusive


def _fall(shard: Shard, claim: Transaction) -> None:
    """`claim` stands no longer: what it took of its original, if it has one, can be taken again."""
    if not claim.more.original:
        return
    original = shard.transactions.get(claim.more.original)
    if original is None or original.standing is None:  # forgotten: the settlement ledger sees it in the journal
        shard.unseen += 1
        return
    original.standing.taken_minor -= claim.amount_minor
    original.standing.spent = original.standing.spent and not CLAIMS[claim.kind].exclusive
    if not original.standing.taken_minor:
        original.standing = None


def _forget(shard: Shard, id_: str) -> None:
    if shard.transactions.pop(id_).standing is not None:
        shard.unseen += 1


def _apply_outcome(shard: Shard, record: Outcome) -> None:
    transaction = shard.transactions[record.id]
    transaction.state = advance(transaction.state, record.state)
    transaction.response_code = record.response_code
    transaction.authorization_code = record.authorization_code
    transaction.at_ms = record.at_ms
    del shard.intents[record.id]
    advices.decided(transaction)
    if record.part_minor or record.balance is not None or record.instalment is not None or record.chip:
        particulars = transaction.particulars = transaction.particulars or Particulars()
        particulars.balance, particulars.instalment, particulars.chip = record.balance, record.instalment, record.chip
        if record.part_minor:
            particulars.asked_minor, transaction.amount_minor = transaction.amount_minor, record.part_minor
    if record.stand_in is not None:
        advices.owe(shard.advices, transaction, record.stand_in)
    if record.state is State.DECLINED:
        _count(_own(shard, transaction.terminal), transaction, -1)
        _fall(shard, transaction)
        if shard.velocity is not None:
            velocity.undo(shard.velocity, transaction)


def _apply_recalled(shard: Shard, record: Recalled) -> None:
    """Not a move: it stands where it stood when it was forgotten."""
    if record.id in shard.transactions or record.state not in (State.APPROVED, State.SETTLED):
        raise IllegalMoveError(f"state: {record.id} cannot be recalled as {record.state.value}")
    shard.transactions[record.id] = recalled(record)
    shard.recalled[record.id] = None
    if len(shard.recalled) > RECALLED_KEPT:
        settled = (id_ for id_ in shard.recalled if shard.transactions[id_].state is not State.REVERSING)
        oldest = next(settled, record.id)
        if oldest != record.id:  # the claim that it was recalled for comes next
            del shard.recalled[oldest]
            _forget(shard, oldest)


def _apply_reversing(shard: Shard, record: Reversing) -> None:
    transaction = shard.transactions[record.id]
    _count(_own(shard, transaction.terminal), transaction, -1)
    transaction.state = advance(transaction.state, State.REVERSING)
    transaction.reversed_at_ms = record.at_ms
    transaction.undelivered = _institutions(transaction)
    if record.response_code:
        transaction.response_code = record.response_code
        transaction.at_ms = record.at_ms
    shard.intents.pop(record.id, None)
    advices.decided(transaction)
    advices.told(shard.advices, transaction)
    if record.origin == "terminal":
        _own(shard, transaction.terminal).upload = None
    if shard.velocity is not None:
        velocity.undo(shard.velocity, transaction)
    for institution in transaction.undelivered:
        shard.reversals.setdefault(institution, {})[record.id] = None


def _institutions(transaction: Transaction) -> tuple[str, ...]:
    """Those that may have booked it: of a transfer both, which may be one."""
    payer, payee = transaction.institution, transaction.more.target_institution
    return (payer, payee) if payee and payee != payer else (payer,)


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
        particulars=Particulars(original=record.original) if record.original else None,
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
        _fall(shard, transaction)


def _apply_batch_closed(shard: Shard, record: BatchClosed) -> None:
    _number(shard, record.rrn)
    terminal = _own(shard, record.terminal)
    kept = []
    for id_ in terminal.previous:  # what is two batches old leaves memory, unless its bank has yet to hear of it
        transaction = shard.transactions[id_]
        if transaction.state is State.REVERSING or transaction.more.stand_in is not None:
            kept.append(id_)
        else:
            _forget(shard, id_)
    for transaction in shard.batch_transactions(record.terminal):
        if transaction.state is State.APPROVED and KINDS[transaction.kind].settles:
            transaction.state = advance(transaction.state, State.SETTLED)
    terminal.previous = kept + terminal.transactions
    terminal.transactions, terminal.settling = [], 0
    terminal.batch = record.next_batch
    terminal.signed_on = False
    terminal.closed = ClosedBatch(
        batch=record.batch,
        rrn=record.rrn,
        at_ms=record.at_ms,
        totals=record.totals,
        result=NOT_BALANCED if record.uploaded else BALANCED,
    )
    terminal.upload = None
    ours = transaction_id(record.terminal, record.batch, "")
    terminal.cryptograms = {id_: kept for id_, kept in terminal.cryptograms.items() if id_.startswith(ours)}


def _apply_batch_unbalanced(shard: Shard, record: BatchUnbalanced) -> None:
    """The same close, asked for again, goes on where its upload had come to; another one begins anew."""
    _number(shard, record.rrn)
    terminal = _own(shard, record.terminal)
    if terminal.upload is None or terminal.upload.stan != record.stan:
        terminal.upload = Upload(stan=record.stan, operator=record.operator, currency=record.currency)


def _apply_batch_uploaded(shard: Shard, record: BatchUploaded) -> None:
    if upload := _own(shard, record.terminal).upload:
        upload.details.update((detail.stan, detail.amount_minor) for detail in record.details)


def _apply_cryptogram_uploaded(shard: Shard, record: CryptogramUploaded) -> None:
    id_ = transaction_id(record.terminal, record.batch, record.stan)
    _own(shard, record.terminal).cryptograms[id_] = record.cryptogram.cryptogram


_RARER: dict[type, Callable[[Shard, Any], None]] = {
    Tombstone: _apply_tombstone,
    Recalled: _apply_recalled,
    BatchClosed: _apply_batch_closed,
    BatchUnbalanced: _apply_batch_unbalanced,
    BatchUploaded: _apply_batch_uploaded,
    CryptogramUploaded: _apply_cryptogram_uploaded,
}
