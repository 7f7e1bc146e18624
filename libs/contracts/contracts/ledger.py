"""Ledger records: what an institution's log says. Subject `ledger.v1.<institution>`. Accounts are named by number, never by card."""

from __future__ import annotations

import msgspec

from contracts.kinds import Kind
from contracts.reports import Report
from contracts.terms import InstalmentTerms


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    at_ms: int
    trace: str = ""


class LedgerEpochStarted(_Record, frozen=True, kw_only=True, tag="epoch-started"):
    epoch: int
    owner: str


class Posting(_Record, frozen=True, kw_only=True, tag="posting"):
    """An approved authorization, whatever its kind: what it did to one account, in one piece.

    A sale takes; a void, a refund and the second half of a transfer give (`amount_minor` below zero); a pre-authorization only holds; its
    completion takes and releases; a question does nothing and is recorded all the same, so that a repetition is answered alike.
    """

    id: str
    account: str
    amount_minor: int
    """What leaves the account or the credit line; below zero: what comes to it."""
    currency: str
    authorization_code: str
    right_pin: bool = False
    """A PIN was keyed and right: the account's count of wrong PINs goes back to zero."""
    incoming: bool = False
    """The second half of a transfer: of its id there may be a posting of the first half in the same ledger."""
    held_minor: int = 0
    """What it sets aside, until `expires_ms`."""
    expires_ms: int = 0
    releases: str = ""
    """The id of the hold that ends with it."""
    released_minor: int = 0
    """What that one held."""
    forced: bool = False
    """Booked whatever the account held: a notice (0220). The account may be overdrawn by as much."""
    part_of_minor: int = 0
    """With a partial approval: what was asked for."""
    counter: int = 0
    """The application transaction counter (ATC) with which the card's chip has proved itself; 0: no chip did."""
    kind: Kind | None = None
    """None: of a ledger that did not say so yet."""
    original: str = ""
    """The id of the transaction that it is about."""
    asked_minor: int = 0
    """Of what gives back, at a bank that books in another currency: what was asked for, in the currency in which it was."""
    instalment: InstalmentTerms | None = None
    """How an instalment sale is billed: the amount is taken at once, and paid by and by."""


class Refusal(_Record, frozen=True, kw_only=True, tag="refusal"):
    """A declined authorization, kept so that a repetition is answered alike."""

    id: str
    response_code: str
    account: str = ""
    """Empty when the card is not one of the institution's."""
    wrong_pin: bool = False
    """The account's count of wrong PINs goes up by one."""
    incoming: bool = False
    """It is the second half of a transfer that was declined: of its id there may be a posting of the first half in the same ledger."""
    counter: int = 0
    """As of a posting: a refusal uses it up, too."""


class ReversalPosting(_Record, frozen=True, kw_only=True, tag="reversal-posting"):
    """Undoes, once, all that a posting of `id` did to an account.

    All amounts are 0 for a refusal, and for an unknown `id`, which is refused from now on (tombstone). A transfer within the bank is
    undone by two of them, of which one is `incoming`.
    """

    id: str
    account: str
    amount_minor: int
    """What comes back to the account; below zero: what is taken from it again, whatever it holds."""
    currency: str
    reason: str
    incoming: bool = False
    held_minor: int = 0
    """What is no longer set aside."""
    restores: str = ""
    """The id of the hold that stands again, because what had ended it is undone."""
    restored_minor: int = 0


class HoldExpired(_Record, frozen=True, kw_only=True, tag="hold-expired"):
    """The term of a pre-authorization is over, and nobody has completed or voided it: what it held can be spent."""

    id: str
    account: str
    held_minor: int


class ScriptResults(_Record, frozen=True, kw_only=True, tag="script-results"):
    """What the chip has made of the orders that came with the answer to `id`; told once, however often the terminal says it."""

    id: str
    account: str
    counter: int
    results: str
    """As in contracts.script_results: two hex digits for each script."""


class Archived(_Record, frozen=True, kw_only=True, tag="archived"):
    """The acquirer has promised that what `terminal` did in batches before `kept_from` is final: of it only what stands approved is kept."""

    terminal: str
    kept_from: str


class CardReported(_Record, frozen=True, kw_only=True, tag="card-reported"):
    """A card was reported lost or stolen, or found; or all cards of a prefix were. The switch is told until it has acknowledged it."""

    report: Report
    entry: int
    """The bank's number for what is reported: the same for each report of it."""
    revision: int
    """1 for the first report of the entry, and so on."""
    account: str = ""
    prefix: str = ""
    """Instead of an account."""


class ReportTold(_Record, frozen=True, kw_only=True, tag="report-told"):
    """Every shard of the switch has acknowledged this report."""

    entry: int
    revision: int


LedgerRecord = (
    LedgerEpochStarted
    | Posting
    | Refusal
    | ReversalPosting
    | HoldExpired
    | ScriptResults
    | Archived
    | CardReported
    | ReportTold
)

record_decoder: msgspec.json.Decoder[LedgerRecord] = msgspec.json.Decoder(LedgerRecord)
