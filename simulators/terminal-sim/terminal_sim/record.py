"""What a terminal remembers, and the entries that change it.

The memory file is a list of entries; the record is what they add up to. `apply` is the only thing that changes a record, so a terminal
that is switched on again knows exactly what it knew. Nothing here has a place for a PAN, a track or a PIN.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from contracts.authorization import Totals
from contracts.identity import transaction_id
from contracts.kinds import KINDS, Kind
from contracts.response_codes import APPROVED
from security_module import WrappedKey

DEFAULT_OPERATOR, DEFAULT_PASSWORD = "01", "0000"
"""What terminals ship with (terminal-protocol, Rules)."""
LAST_STAN = 999_999
BATCH_LIMIT = 999
"""Transactions of a batch: field 48 counts with three digits."""


def password_digest(tid: str, operator: str, password: str) -> str:
    """How a terminal keeps an operator's password."""
    return hashlib.sha256(f"{tid}:{operator}:{password}".encode()).hexdigest()


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-on gave. The keys are wrapped under the terminal's own local key."""

    batch: str
    operator: str
    pin_key: WrappedKey | None = None
    """None, as the MAC key, where the terminal derives its keys (DUKPT)."""
    mac_key: WrappedKey | None = None


class Transaction(msgspec.Struct, kw_only=True):
    """One online transaction as the terminal saw it: a line of its electronic journal."""

    batch: str
    stan: str
    kind: Kind
    amount_minor: int
    currency: str
    card: str
    """First 6, stars, last 4."""
    entry_mode: str
    at_ms: int
    response_code: str = ""
    """Empty: no answer that could be trusted has come."""
    rrn: str = ""
    authorization_code: str = ""
    answer_digests: list[str] = []
    """SHA-256 of each answer's bytes from the MTI on, hex, in the order of arrival: the first, then those to repetitions."""
    reversed: bool = False
    """The host has confirmed that it has no effect."""

    @property
    def answer_digest(self) -> str:
        return self.answer_digests[0] if self.answer_digests else ""

    @property
    def counts(self) -> bool:
        """Approved and not reversed: it belongs into the batch's totals."""
        return self.response_code == APPROVED and not self.reversed


class PendingReversal(msgspec.Struct, frozen=True, kw_only=True):
    """A reversal to be sent before the next online transaction."""

    batch: str
    stan: str
    reason: str = "98"
    """Field 39 of the 0400: 98 no answer, A0 reply MAC wrong, 96 terminal fault, 06 other."""
    tries: int = 0


class PendingClose(msgspec.Struct, frozen=True, kw_only=True):
    """A 0500 that was sent and has no answer yet; it is sent again, alike, before anything else."""

    batch: str
    stan: str
    totals: Totals


class ClosedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the host called balanced."""

    batch: str
    stan: str
    rrn: str
    totals: Totals
    at_ms: int


class TerminalRecord(msgspec.Struct, kw_only=True):
    """All that a terminal remembers."""

    tid: str
    stan: int = 0
    """The last trace number given out."""
    counter: int = 0
    """The last DUKPT counter used; 0 before the first, and where the scheme has none."""
    batch: str = ""
    """Empty before the first sign-on."""
    batch_size: int = 0
    """Transactions sent in this batch, whatever became of them."""
    operators: dict[str, str] = {}
    """Operator → digest of the password."""
    session: Session | None = None
    master: WrappedKey | None = None
    """The master key (TMK) that a sign-on brought, under the terminal's local key; None: the one it was shipped with."""
    pending: PendingReversal | None = None
    closing: PendingClose | None = None
    transactions: dict[str, Transaction] = {}
    """By identity (terminal:batch:STAN), in order."""
    closed: list[ClosedBatch] = []

    def transaction(self, batch: str, stan: str) -> Transaction | None:
        return self.transactions.get(transaction_id(self.tid, batch, stan))

    def totals(self, batch: str) -> Totals:
        """The terminal's own totals of a batch, as field 48 wants them."""
        debit = [t.amount_minor for t in self.transactions.values() if t.batch == batch and t.counts and _debit(t)]
        credit = [t.amount_minor for t in self.transactions.values() if t.batch == batch and t.counts and not _debit(t)]
        return Totals(
            debit_minor=sum(debit), debit_count=len(debit), credit_minor=sum(credit), credit_count=len(credit)
        )

    def next_stan(self) -> str:
        """The trace number after the last; after 999999 comes 000001."""
        return f"{self.stan % LAST_STAN + 1:06d}"


def _debit(transaction: Transaction) -> bool:
    return KINDS[transaction.kind].debit


def new_record(tid: str) -> TerminalRecord:
    """A terminal as it is shipped."""
    digest = password_digest(tid, DEFAULT_OPERATOR, DEFAULT_PASSWORD)
    return TerminalRecord(tid=tid, operators={DEFAULT_OPERATOR: digest})


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="snapshot"):
    """Everything before, folded: the first line of a compacted file."""

    record: TerminalRecord


class OperatorSet(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="operator-set"):
    operator: str
    password_digest: str


class StanUsed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stan-used"):
    """A management message went out under this number."""

    stan: str


class CounterUsed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="counter-used"):
    """Saved before the message leaves whose keys are this counter's: it is never used again, whatever becomes of the message."""

    counter: int


class SignedOn(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="signed-on"):
    session: Session


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="session-ended"):
    """Signed off, or the host asked to sign on again."""


class MasterKept(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="master-kept"):
    """A new master key (TMK), wrapped under the terminal's local key. Once it is named to the host the former one may be gone there."""

    key: WrappedKey


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="sent"):
    """Saved before a reversible request leaves: from here its reversal is due unless an answer comes."""

    transaction: Transaction


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="answered"):
    """A trusted answer, the first or one to a repetition."""

    batch: str
    stan: str
    response_code: str
    rrn: str
    authorization_code: str
    digest: str


class ReversalDue(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reversal-due"):
    """Why the reversal is due, when it is not for want of an answer (98)."""

    batch: str
    stan: str
    reason: str


class ReversalTried(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reversal-tried"):
    """Saved before the 0400 leaves."""

    batch: str
    stan: str
    tries: int


class ReversalEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reversal-ended"):
    """The host answered 00, 12 or 25."""

    batch: str
    stan: str
    response_code: str


class CloseSent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="close-sent"):
    close: PendingClose


class CloseEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="close-ended"):
    """`closed` is set when the host called the batch balanced."""

    closed: ClosedBatch | None = None


Entry = (
    Snapshot
    | OperatorSet
    | StanUsed
    | CounterUsed
    | SignedOn
    | SessionEnded
    | MasterKept
    | Sent
    | Answered
    | ReversalDue
    | ReversalTried
    | ReversalEnded
    | CloseSent
    | CloseEnded
)


def _sent(record: TerminalRecord, entry: Sent) -> None:
    sent = entry.transaction
    record.stan = int(sent.stan)
    record.transactions[transaction_id(record.tid, sent.batch, sent.stan)] = sent
    record.pending = PendingReversal(batch=sent.batch, stan=sent.stan)
    record.batch_size += 1


def _answered(record: TerminalRecord, entry: Answered) -> None:
    transaction = record.transaction(entry.batch, entry.stan)
    if transaction is None:
        return
    transaction.answer_digests.append(entry.digest)
    if len(transaction.answer_digests) > 1:
        return  # a repetition: kept for comparison, changes nothing
    transaction.response_code = entry.response_code
    transaction.rrn = entry.rrn
    transaction.authorization_code = entry.authorization_code
    pending = record.pending
    if pending is not None and (pending.batch, pending.stan) == (entry.batch, entry.stan):
        record.pending = None


def _reversal_due(record: TerminalRecord, entry: ReversalDue) -> None:
    record.pending = PendingReversal(batch=entry.batch, stan=entry.stan, reason=entry.reason)


def _reversal_tried(record: TerminalRecord, entry: ReversalTried) -> None:
    if record.pending is not None:
        record.pending = msgspec.structs.replace(record.pending, tries=entry.tries)


def _reversal_ended(record: TerminalRecord, entry: ReversalEnded) -> None:
    record.pending = None
    transaction = record.transaction(entry.batch, entry.stan)
    if transaction is not None:
        transaction.reversed = True


def _stan_used(record: TerminalRecord, entry: StanUsed) -> None:
    record.stan = int(entry.stan)


def _counter_used(record: TerminalRecord, entry: CounterUsed) -> None:
    record.counter = entry.counter


def _signed_on(record: TerminalRecord, entry: SignedOn) -> None:
    if entry.session.batch != record.batch:
        record.batch_size = 0
    record.session, record.batch = entry.session, entry.session.batch


def _session_ended(record: TerminalRecord, entry: SessionEnded) -> None:
    record.session = None


def _master_kept(record: TerminalRecord, entry: MasterKept) -> None:
    record.master = entry.key


def _close_sent(record: TerminalRecord, entry: CloseSent) -> None:
    record.stan, record.closing = int(entry.close.stan), entry.close


def _close_ended(record: TerminalRecord, entry: CloseEnded) -> None:
    record.closing = None
    if entry.closed is not None:
        record.closed.append(entry.closed)


def _operator_set(record: TerminalRecord, entry: OperatorSet) -> None:
    record.operators[entry.operator] = entry.password_digest


_CHANGES: dict[type[Any], Callable[[TerminalRecord, Any], None]] = {
    Sent: _sent,
    Answered: _answered,
    ReversalDue: _reversal_due,
    ReversalTried: _reversal_tried,
    ReversalEnded: _reversal_ended,
    StanUsed: _stan_used,
    CounterUsed: _counter_used,
    SignedOn: _signed_on,
    SessionEnded: _session_ended,
    MasterKept: _master_kept,
    CloseSent: _close_sent,
    CloseEnded: _close_ended,
    OperatorSet: _operator_set,
}


def apply(record: TerminalRecord, entry: Entry) -> TerminalRecord:
    """The record after `entry`: the same object, changed, except that a snapshot is a record of its own."""
    if isinstance(entry, Snapshot):
        return entry.record
    _CHANGES[type(entry)](record, entry)
    return record
