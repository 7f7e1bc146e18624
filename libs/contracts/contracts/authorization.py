"""What the terminal gateway asks the switch, and what the switch asks an issuer. Core NATS only: no stream captures these subjects."""

from __future__ import annotations

import msgspec

from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, Track2


class CardData(msgspec.Struct, frozen=True, kw_only=True):
    """What the reader and the PIN pad gave. Never in a stream, never at rest."""

    pan: Pan
    expiry: str = ""
    """YYMM, or empty when the entry mode gives none."""
    track2: Track2 | None = None
    pin_block: bytes = b""
    """ISO 9564 format 0 under the zone key of `pin_zone`, 8 bytes; empty when no PIN was keyed."""
    pin_zone: str = ""
    """The institution under whose zone PIN key `pin_block` is encrypted."""
    pin_key: str = ""
    """Which version of that key: its check value, 8 hex digits; empty: the bank's current one."""

    def __repr__(self) -> str:  # the default would print the PIN block
        return f"CardData({self.pan})"


class AuthorizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that needs the issuer's word; subject `auth.v1.<shard>.authorize`."""

    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    entry_mode: str
    """Field 22, 3 digits."""
    card: CardData
    masked: MaskedCard
    fingerprint: str
    """Keyed digest of amount, card and processing code: same identity with another fingerprint is answered 94."""


class AuthorizeReply(msgspec.Struct, frozen=True, kw_only=True):
    """The switch's answer; identical, byte for byte, for every repetition of the request."""

    response_code: str
    rrn: str
    at_ms: int
    """Host time of the decision, Unix milliseconds UTC; the gateway prints it as fields 12, 13 and 15 in the merchant's zone."""
    authorization_code: str = ""
    institution: str = ""


class ReverseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal's 0400; subject `auth.v1.<shard>.reverse`. Batch and STAN are the original's."""

    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    reason: str
    """Field 39 of the 0400: 98 no answer, A0 reply MAC wrong, 96 terminal fault, 06 other."""


class ReverseReply(msgspec.Struct, frozen=True, kw_only=True):
    """00 reversed (again, or for ever in advance), 12 nothing to reverse, 64 the amount is not the original's."""

    response_code: str
    rrn: str
    at_ms: int


class SignOnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `auth.v1.<shard>.sign-on`; the gateway makes the keys, the switch gives the batch number."""

    terminal: str
    merchant: str
    stan: str
    operator: str


class SignOnReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: str
    rrn: str
    at_ms: int
    batch: str = ""


class SignOffRequest(msgspec.Struct, frozen=True, kw_only=True):
    terminal: str
    merchant: str
    stan: str


class SignOffReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: str
    at_ms: int
    rrn: str = ""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """A batch's totals as field 48 carries them, of one currency."""

    debit_minor: int = 0
    debit_count: int = 0
    credit_minor: int = 0
    credit_count: int = 0


class SettleRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal's 0500; subject `auth.v1.<shard>.settle`."""

    terminal: str
    merchant: str
    batch: str
    stan: str
    operator: str
    currency: str
    totals: Totals


BALANCED, NOT_BALANCED, SETTLE_ERROR = "1", "2", "3"
"""The result digit of field 48."""


class SettleReply(msgspec.Struct, frozen=True, kw_only=True):
    """`result` is the digit of field 48: 1 balanced (the batch is closed), 2 not balanced (it stays open), 3 error."""

    result: str
    rrn: str
    at_ms: int
    totals: Totals
    """What the host counted."""


class IssuerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `issuer.v1.<institution>.authorize`."""

    transaction: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    amount_minor: int
    currency: str
    entry_mode: str
    card: CardData


class IssuerReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: str
    authorization_code: str = ""


class IssuerReverseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `issuer.v1.<institution>.reverse`: whatever `transaction` did is undone, and if it is unknown it will be refused should it still come."""

    transaction: str
    reason: str


class IssuerReverseReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: str
    """Always 00 once the ledger holds the reversal."""
