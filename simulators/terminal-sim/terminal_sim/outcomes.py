"""What comes of an operation at a terminal. A refusal is an outcome; nothing here is an exception."""

from __future__ import annotations

import msgspec

from contracts.authorization import BALANCED, Totals
from contracts.kinds import Kind
from contracts.response_codes import APPROVALS
from contracts.terms import Balance, InstalmentTerms
from terminal_sim.entries import Entry


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The terminal sent nothing."""

    reason: str
    """One line for the operator: what is wrong and what to do."""
    response_code: str = ""
    """The host's word, when it is the host that stands in the way."""


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """An operator has logged in or out, or something was set at the terminal alone."""

    operator: str


class TransactionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Of a transaction of any kind."""

    kind: Kind
    batch: str
    stan: str
    amount_minor: int
    """As it was asked for."""
    response_code: str = ""
    """Empty: no answer that could be trusted. What can be reversed then is, a notice is sent again, of a question nothing remains."""
    rrn: str = ""
    authorization_code: str = ""
    pending: bool = False
    """A reversal of it waits to be sent."""
    stored: bool = False
    """It is a notice that waits to be sent, or to be sent again."""
    reason: str = ""
    """Why the answer could not be used."""
    part_minor: int = 0
    """With 10: what was approved."""
    balance: Balance | None = None
    terms: InstalmentTerms | None = None

    @property
    def approved(self) -> bool:
        return self.response_code in APPROVALS and not self.pending and not self.stored


class SignOnOutcome(msgspec.Struct, frozen=True, kw_only=True):
    response_code: str = ""
    """Empty: no answer, or one whose keys are wrong."""
    batch: str = ""
    reason: str = ""

    @property
    def signed_on(self) -> bool:
        return bool(self.batch)


class ReversalOutcome(msgspec.Struct, frozen=True, kw_only=True):
    batch: str
    stan: str
    tries: int
    response_code: str = ""
    """Empty: no answer that could be trusted."""
    ended: bool = False
    """00, 12 or 25: it need not be sent again."""


class CloseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    batch: str
    stan: str
    totals: Totals
    """What the terminal counted."""
    result: str = ""
    """The digit of field 48: 1 balanced, 2 not balanced, 3 error; empty without an answer."""
    host: Totals | None = None
    """What the host counted."""
    rrn: str = ""
    response_code: str = ""
    """Field 39, which only a refusal has."""

    @property
    def balanced(self) -> bool:
        return self.result == BALANCED


class UploadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Of one message of an upload."""

    batch: str
    response_code: str = ""
    """Empty: no answer."""
    rrn: str = ""
    ended: bool = False
    """The end message was answered 00: the batch is closed."""
    uploaded: int = 0
    """Details that the host had taken before this message."""


class DownloadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Of one message of a download."""

    code: str
    """60.3 of what is downloaded."""
    response_code: str = ""
    """Empty: no answer that could be used."""
    version: int = 0
    """Set by the end: everything of this version is in force."""
    reason: str = ""


class PlainOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Of a sign-off, an echo or a status report."""

    response_code: str = ""


Outcome = (
    Refused
    | Entered
    | TransactionOutcome
    | SignOnOutcome
    | ReversalOutcome
    | CloseOutcome
    | UploadOutcome
    | DownloadOutcome
    | PlainOutcome
)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine wants done, in this order: save, then send, then tell. With none of them, what came was not for it: wait on."""

    save: tuple[Entry, ...] = ()
    send: bytes = b""
    """A body to send; an answer is then awaited."""
    outcome: Outcome | None = None
