"""What a terminal remembers, and the entries that change it.

The memory file is a list of entries; the record is what they add up to. `apply` is the only thing that changes a record, so a terminal
that is switched on again knows exactly what it knew. Nothing here has a place for a track or a PIN, and for a card number only sealed,
in a notice that has yet to be delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from contracts.authorization import Original, Totals
from contracts.identity import transaction_id
from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.response_codes import APPROVED, PARTIAL_APPROVAL
from contracts.terms import InstalmentPlan
from security_module import WrappedKey
from terminal_sim.downloaded import DownloadBegun, Downloaded, DownloadEnded, Downloading, PageKept
from terminal_sim.shipped import SHIPPED_PASSWORDS, Parameters, password_digest
from terminal_sim.stored import SealedCard, StoredAdvice
from terminal_sim.uploaded import DetailsUploaded, UploadBegun

LAST_STAN = 999_999
BATCH_LIMIT = 999
"""Transactions of a batch: field 48 counts with three digits."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-on gave. The keys are wrapped under the terminal's own local key."""

    batch: str
    operator: str
    pin_key: WrappedKey | None = None
    """None, as the MAC key, where the terminal derives its keys (DUKPT)."""
    mac_key: WrappedKey | None = None


class Transaction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One transaction as the terminal saw it: a line of its electronic journal."""

    batch: str
    stan: str
    kind: Kind
    amount_minor: int
    """As it was asked for."""
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
    date: str = ""
    """Field 13 of the answer, MMDD: how a void or a refund of it names its day."""
    part_minor: int = 0
    """With 10: what was approved of the amount; 0: all of it."""
    takes_part: bool = False
    original: Original | None = None
    """The transaction that this one is about."""
    target: str = ""
    """Of a transfer: the card that it goes to, masked."""
    plan: InstalmentPlan | None = None
    sequence: str = ""
    """Field 23, where a chip was read."""
    chip: str = ""
    """Field 55 of the request, in hex: values and a cryptogram of this transaction, no card data."""
    certificate: str = ""
    """The chip's last cryptogram (TC or AAC), in hex."""
    claimed_by: Kind | None = None
    """What was done to it here and stands: a void, a completion."""
    refunded_minor: int = 0
    """What was refunded of it here."""

    @property
    def answer_digest(self) -> str:
        return self.answer_digests[0] if self.answer_digests else ""

    @property
    def counts(self) -> bool:
        """Approved and not reversed."""
        return self.response_code in (APPROVED, PARTIAL_APPROVAL) and not self.reversed

    @property
    def worth_minor(self) -> int:
        """What it comes to: of a partial approval the part."""
        return self.part_minor or self.amount_minor

    @property
    def voided(self) -> bool:
        """A void of it stands."""
        return self.claimed_by is not None and CLAIMS[self.claimed_by].whole


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
    uploading: bool = False
    """The host has called it unbalanced: the details are uploaded."""
    uploaded: int = 0
    """How many of them the host has taken."""


class ClosedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the host called balanced, or that was closed by its details."""

    batch: str
    stan: str
    rrn: str
    totals: Totals
    """The terminal's own."""
    at_ms: int
    uploaded: bool = False
    """Closed by its details: the host counted otherwise."""


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
    """Operator → digest of the password, where it is not as shipped; empty: the operator was deleted."""
    parameters: Parameters = Parameters()
    session: Session | None = None
    master: WrappedKey | None = None
    """The master key (TMK) that a sign-on brought, under the terminal's local key; None: the one it was shipped with."""
    pending: PendingReversal | None = None
    advices: dict[str, StoredAdvice] = {}
    """By identity, oldest first."""
    closing: PendingClose | None = None
    transactions: dict[str, Transaction] = {}
    """By identity (terminal:batch:STAN), in order."""
    closed: list[ClosedBatch] = []
    downloads: dict[str, Downloaded] = {}
    """By 60.3. Nothing: what it was shipped with."""
    downloading: Downloading | None = None

    def transaction(self, batch: str, stan: str) -> Transaction | None:
        return self.transactions.get(transaction_id(self.tid, batch, stan))

    def totals(self, batch: str) -> Totals:
        """The terminal's own totals of a batch, as field 48 wants them: what takes is a debit, what returns a credit, and nothing else counts."""
        counting = [t for t in self.transactions.values() if t.batch == batch and t.counts]
        debit = [t.worth_minor for t in counting if KINDS[t.kind].debit]
        credit = [t.worth_minor for t in counting if KINDS[t.kind].credit]
        return Totals(
            debit_minor=sum(debit), debit_count=len(debit), credit_minor=sum(credit), credit_count=len(credit)
        )

    def password(self, operator: str) -> str:
        """The digest of an operator's password; empty when there is no such operator."""
        kept = self.operators.get(operator)
        if kept is not None:
            return kept
        shipped = SHIPPED_PASSWORDS.get(operator)
        return password_digest(self.tid, operator, shipped) if shipped else ""

    def is_stored(self, transaction: Transaction) -> bool:
        """It is a notice that the host has not answered."""
        return bool(self.advices) and transaction_id(self.tid, transaction.batch, transaction.stan) in self.advices

    @property
    def waits(self) -> bool:
        """A reversal or a notice has to be sent before the next online transaction."""
        return self.pending is not None or bool(self.advices)

    def next_stan(self) -> str:
        """The trace number after the last; after 999999 comes 000001."""
        return f"{self.stan % LAST_STAN + 1:06d}"


def new_record(tid: str) -> TerminalRecord:
    """A terminal as it is shipped."""
    return TerminalRecord(tid=tid)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="snapshot"):
    """Everything before, folded: the first line of a compacted file."""

    record: TerminalRecord


class OperatorSet(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="operator-set"):
    operator: str
    password_digest: str


class ParametersSet(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="parameters-set"):
    parameters: Parameters


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
    """Saved before a request leaves: from here the reversal of a reversible one is due unless an answer comes."""

    transaction: Transaction


class Stored(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stored"):
    """Saved before anybody is told of it: from here the notice is due until it is answered."""

    transaction: Transaction
    card: SealedCard


class AdviceTried(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="advice-tried"):
    """Saved before the 0220 leaves."""

    batch: str
    stan: str
    tries: int


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="answered"):
    """A trusted answer, the first or one to a repetition."""

    batch: str
    stan: str
    response_code: str
    rrn: str
    authorization_code: str
    digest: str
    date: str = ""
    part_minor: int = 0
    certificate: str = ""


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
    """`closed` is set when the host has closed the batch."""

    closed: ClosedBatch | None = None


Entry = (
    Snapshot
    | OperatorSet
    | ParametersSet
    | StanUsed
    | CounterUsed
    | SignedOn
    | SessionEnded
    | MasterKept
    | Sent
    | Stored
    | AdviceTried
    | Answered
    | ReversalDue
    | ReversalTried
    | ReversalEnded
    | CloseSent
    | UploadBegun
    | DetailsUploaded
    | CloseEnded
    | DownloadBegun
    | PageKept
    | DownloadEnded
)


def used(counter: int) -> tuple[CounterUsed, ...]:
    """What is saved of a message's counter, where the scheme has one."""
    return (CounterUsed(counter=counter),) if counter else ()


def _sent(record: TerminalRecord, entry: Sent) -> None:
    sent = entry.transaction
    _begun(record, sent)
    if KINDS[sent.kind].reversible:
        record.pending = PendingReversal(batch=sent.batch, stan=sent.stan)


def _stored(record: TerminalRecord, entry: Stored) -> None:
    kept = entry.transaction
    _begun(record, kept)
    advice = StoredAdvice(batch=kept.batch, stan=kept.stan, card=entry.card)
    record.advices[transaction_id(record.tid, kept.batch, kept.stan)] = advice


def _begun(record: TerminalRecord, begun: Transaction) -> None:
    record.stan = int(begun.stan)
    record.transactions[transaction_id(record.tid, begun.batch, begun.stan)] = begun
    record.batch_size += KINDS[begun.kind].slip  # what only looks is nowhere in a batch's totals


def _advice_tried(record: TerminalRecord, entry: AdviceTried) -> None:
    identity = transaction_id(record.tid, entry.batch, entry.stan)
    if identity in record.advices:
        record.advices[identity] = msgspec.structs.replace(record.advices[identity], tries=entry.tries)


def _answered(record: TerminalRecord, entry: Answered) -> None:
    identity = transaction_id(record.tid, entry.batch, entry.stan)
    transaction = record.transactions.get(identity)
    if transaction is None:
        return
    transaction.answer_digests.append(entry.digest)
    if len(transaction.answer_digests) > 1:
        return  # a repetition: kept for comparison, changes nothing
    transaction.response_code = entry.response_code
    transaction.rrn = entry.rrn
    transaction.authorization_code = entry.authorization_code
    transaction.date = entry.date
    transaction.part_minor = entry.part_minor
    transaction.certificate = entry.certificate or transaction.certificate
    if transaction.original is not None and transaction.counts:
        _claim(record, transaction, transaction.original, stands=True)
    pending = record.pending
    if pending is not None and (pending.batch, pending.stan) == (entry.batch, entry.stan):
        record.pending = None
    record.advices.pop(identity, None)


def _claim(record: TerminalRecord, claim: Transaction, named: Original, *, stands: bool) -> None:
    """What `claim` has done to its original, or its reversal has undone, where the original is one of this terminal's own."""
    original = record.transaction(named.batch, named.stan)
    if original is None:
        return
    if CLAIMS[claim.kind].exclusive:
        original.claimed_by = claim.kind if stands else None
    else:
        original.refunded_minor += claim.worth_minor if stands else -claim.worth_minor


def _reversal_due(record: TerminalRecord, entry: ReversalDue) -> None:
    record.pending = PendingReversal(batch=entry.batch, stan=entry.stan, reason=entry.reason)


def _reversal_tried(record: TerminalRecord, entry: ReversalTried) -> None:
    if record.pending is not None:
        record.pending = msgspec.structs.replace(record.pending, tries=entry.tries)


def _reversal_ended(record: TerminalRecord, entry: ReversalEnded) -> None:
    record.pending = None
    transaction = record.transaction(entry.batch, entry.stan)
    if transaction is None:
        return
    if transaction.original is not None and transaction.counts:
        _claim(record, transaction, transaction.original, stands=False)
    transaction.reversed = True


def _parameters_set(record: TerminalRecord, entry: ParametersSet) -> None:
    record.parameters = entry.parameters


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


def _uploaded(record: TerminalRecord, entry: UploadBegun | DetailsUploaded) -> None:
    if record.closing is not None:
        record.closing = msgspec.structs.replace(record.closing, uploading=True, uploaded=entry.count)


def _close_ended(record: TerminalRecord, entry: CloseEnded) -> None:
    record.closing = None
    if entry.closed is not None:
        record.closed.append(entry.closed)


def _download_begun(record: TerminalRecord, entry: DownloadBegun) -> None:
    record.downloading = Downloading(code=entry.code)


def _page_kept(record: TerminalRecord, entry: PageKept) -> None:
    if (at := record.downloading) is not None:
        records = (*at.records, *entry.records)
        record.downloading = Downloading(code=at.code, records=records, complete=entry.last)


def _download_ended(record: TerminalRecord, entry: DownloadEnded) -> None:
    at, record.downloading = record.downloading, None
    if at is not None and entry.version:
        record.downloads[at.code] = Downloaded(version=entry.version, records=at.records)


def _operator_set(record: TerminalRecord, entry: OperatorSet) -> None:
    record.operators[entry.operator] = entry.password_digest


_CHANGES: dict[type[Any], Callable[[TerminalRecord, Any], None]] = {
    Sent: _sent,
    Stored: _stored,
    AdviceTried: _advice_tried,
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
    UploadBegun: _uploaded,
    DetailsUploaded: _uploaded,
    CloseEnded: _close_ended,
    OperatorSet: _operator_set,
    ParametersSet: _parameters_set,
    DownloadBegun: _download_begun,
    PageKept: _page_kept,
    DownloadEnded: _download_ended,
}


def apply(record: TerminalRecord, entry: Entry) -> TerminalRecord:
    """The record after `entry`: the same object, changed, except that a snapshot is a record of its own."""
    if isinstance(entry, Snapshot):
        return entry.record
    _CHANGES[type(entry)](record, entry)
    return record
