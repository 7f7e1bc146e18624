"""What a terminal remembers: what the entries of its memory file add up to.

Nothing here has a place for a track or a PIN, and for a card number only sealed,
in a notice that has yet to be delivered.
"""

from __future__ import annotations

import msgspec

from contracts.authorization import Original, Totals
from contracts.identity import transaction_id
from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.response_codes import APPROVALS
from contracts.terms import InstalmentPlan
from security_module import WrappedKey
from terminal_sim.downloaded import Downloaded, Downloading
from terminal_sim.shipped import SHIPPED_PASSWORDS, Parameters, password_digest
from terminal_sim.stored import StoredAdvice

LAST_STAN = 999_999


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
        return self.response_code in APPROVALS and not self.reversed

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
    results: dict[str, str] = {}
    """Of chips' orders (tag DF31, in hex), by the identity of the transaction that brought them, oldest first."""
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
