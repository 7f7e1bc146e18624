"""Ledger records: what an institution's log says. Subject `ledger.v1.<institution>`. Accounts are named by number, never by card."""

from __future__ import annotations

import msgspec


class _Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    at_ms: int
    trace: str = ""


class LedgerEpochStarted(_Record, frozen=True, kw_only=True, tag="epoch-started"):
    epoch: int
    owner: str


class Posting(_Record, frozen=True, kw_only=True, tag="posting"):
    """An approved authorization: `amount_minor` leaves the account (debit) or the credit line (credit)."""

    id: str
    account: str
    amount_minor: int
    currency: str
    authorization_code: str
    right_pin: bool = False
    """A PIN was keyed and right: the account's count of wrong PINs goes back to zero."""


class Refusal(_Record, frozen=True, kw_only=True, tag="refusal"):
    """A declined authorization, kept so that a repetition is answered alike."""

    id: str
    response_code: str
    account: str = ""
    """Empty when the card is not one of the institution's."""
    wrong_pin: bool = False
    """The account's count of wrong PINs goes up by one."""


class ReversalPosting(_Record, frozen=True, kw_only=True, tag="reversal-posting"):
    """Gives back, once, what `id` took. `amount_minor` is 0 for a refusal, and for an unknown `id`, which is refused from now on (tombstone)."""

    id: str
    account: str
    amount_minor: int
    currency: str
    reason: str


class Archived(_Record, frozen=True, kw_only=True, tag="archived"):
    """The acquirer has promised that what `terminal` did in batches before `kept_from` is final: of it only what stands approved is kept."""

    terminal: str
    kept_from: str


LedgerRecord = LedgerEpochStarted | Posting | Refusal | ReversalPosting | Archived

record_decoder: msgspec.json.Decoder[LedgerRecord] = msgspec.json.Decoder(LedgerRecord)
