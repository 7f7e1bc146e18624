"""What the terminal gateway asks the switch, and what the switch asks an issuer. Core NATS only: no stream captures these subjects."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts import bounds
from contracts.chip import ChipFacts
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, PinBlock, Track2
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms


class CardData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the reader and the PIN pad gave. Never in a stream, never at rest."""

    pan: Pan
    expiry: bounds.Expiry = ""
    """YYMM, or empty when the entry mode gives none."""
    track2: Track2 | None = None
    pin_block: PinBlock = PinBlock()
    """ISO 9564 block under the zone key of `pin_zone`: 8 bytes, of format 4 16 bytes; empty when no PIN was keyed."""
    pin_zone: str = ""
    """The institution under whose zone PIN key `pin_block` is encrypted."""
    pin_format: str = "iso-0"
    """How the PIN stands in `pin_block`: iso-0, iso-3 or iso-4."""
    pin_key: str = ""
    """Which version of that key: its check value, 8 hex digits; empty: the bank's current one."""
    sequence: bounds.Sequence = ""
    """Field 23: which of the cards of this number; empty when nobody said it."""
    chip: bounds.ChipData = b""
    """Field 55, those tags of it that go on (BER-TLV); empty when the chip was not read."""

    def __repr__(self) -> str:  # the default would print the PIN block
        return f"CardData({self.pan})"


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """How a terminal names the transaction that a void, a refund or a completion is about (fields 37, 38 and 61). What is empty was not said."""

    batch: bounds.Batch
    """61.1."""
    stan: bounds.Stan
    """61.2."""
    date: bounds.Date
    """61.3, MMDD."""
    rrn: bounds.Rrn = ""
    """Field 37 of the request: the original's."""
    authorization_code: bounds.AuthorizationCode = ""
    """Field 38 of the request: the original's."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The card that a transfer goes to. It was keyed: there is neither track nor PIN."""

    pan: Pan
    masked: MaskedCard


class AuthorizeRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transaction that needs the issuer's word; subject `auth.v1.<shard>.authorize`."""

    kind: Kind
    terminal: bounds.Terminal
    merchant: bounds.Merchant
    batch: bounds.Batch
    stan: bounds.Stan
    amount_minor: bounds.Amount
    currency: bounds.Currency
    entry_mode: bounds.EntryMode
    """Field 22, 3 digits."""
    card: CardData
    masked: MaskedCard
    fingerprint: bounds.Fingerprint
    """Keyed digest of amount, card and processing code under the current data key, with its version in front (`2:4f1d…`)."""
    other_fingerprints: tuple[bounds.Fingerprint, ...] = ()
    """The same under the other versions that can be used, so that a repetition is known whichever version the first request met."""
    other_digests: tuple[bounds.Digest, ...] = ()
    """Of the card's number under those versions, so that the stop list, and what is approved in its bank's stead, knows it whichever version met it."""
    target_digests: tuple[bounds.Digest, ...] = ()
    """The same of the card that a transfer goes to."""
    original: Original | None = None
    """For the kinds of contracts.kinds.CLAIMS, and for no other."""
    target: Target | None = None
    """For a transfer."""
    instalment: InstalmentPlan | None = None
    """For an instalment sale."""
    takes_part: bool = False
    """60.6: the terminal can take an approval of less (10)."""
    chip: ChipFacts | None = None
    """What is kept of `card.chip`."""
    chip_reader: bool = False
    """60.4: the terminal reads chips, so that a swipe is a way around one."""


class AuthorizeReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The switch's answer; what the terminal gets of it is identical, byte for byte, for every repetition of the request."""

    response_code: bounds.Code
    rrn: bounds.Rrn
    at_ms: int
    """Host time of the decision, Unix milliseconds UTC; the gateway prints it as fields 12, 13 and 15 in the merchant's zone."""
    authorization_code: bounds.AuthorizationCode = ""
    institution: str = ""
    issuer_ms: int = 0
    """How long the bank was waited for, for the gateway to know its own queues from a slow bank; 0 where none was, as in a repetition."""
    part_minor: bounds.Amount = 0
    """With 10: what was approved of the amount."""
    balance: Balance | None = None
    """Field 54 of a balance inquiry."""
    instalment: InstalmentTerms | None = None
    """Field 62 of an instalment sale."""
    stop_list: int = 0
    """The version of the shard's stop list now; 0: the one that the world begins with. Not of the stored answer."""
    chip: bounds.ChipData = b""
    """Field 55: the issuer's word to the chip."""


class ReverseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal's 0400; subject `auth.v1.<shard>.reverse`. Batch and STAN are the original's."""

    kind: Kind
    terminal: bounds.Terminal
    merchant: bounds.Merchant
    batch: bounds.Batch
    stan: bounds.Stan
    amount_minor: bounds.Amount
    currency: bounds.Currency
    reason: bounds.Code
    """Field 39 of the 0400: 98 no answer, A0 reply MAC wrong, 96 terminal fault, 06 other."""


class ReverseReply(msgspec.Struct, frozen=True, kw_only=True):
    """00 reversed (again, or for ever in advance), 12 nothing to reverse, 64 the amount is not the original's, 96 not now: nothing was done."""

    response_code: bounds.Code
    rrn: bounds.Rrn
    at_ms: int


class SignOnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `auth.v1.<shard>.sign-on`; the gateway makes the keys, the switch gives the batch number."""

    terminal: bounds.Terminal
    merchant: bounds.Merchant
    stan: bounds.Stan
    operator: bounds.Operator


class SignOnReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    response_code: bounds.Code
    rrn: bounds.Rrn
    at_ms: int
    batch: bounds.Batch = ""
    stop_list: int = 0
    """The version of the shard's stop list now; 0: the one that the world begins with."""


class SignOffRequest(msgspec.Struct, frozen=True, kw_only=True):
    terminal: bounds.Terminal
    merchant: bounds.Merchant
    stan: bounds.Stan


class SignOffReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: bounds.Code
    at_ms: int
    rrn: bounds.Rrn = ""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """A batch's totals as field 48 carries them, of one currency."""

    debit_minor: int = 0
    debit_count: int = 0
    credit_minor: int = 0
    credit_count: int = 0


class SettleRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal's 0500; subject `auth.v1.<shard>.settle`."""

    terminal: bounds.Terminal
    merchant: bounds.Merchant
    batch: bounds.Batch
    stan: bounds.Stan
    operator: bounds.Operator
    currency: bounds.Currency
    totals: Totals

    def __post_init__(self) -> None:
        # Here and not in Totals: the journal holds those too, and what it holds must be read whatever it says.
        if not bounds.fit_field_48(*msgspec.structs.astuple(self.totals)):
            raise ValueError("totals: a number that field 48 cannot carry")


BALANCED, NOT_BALANCED, SETTLE_ERROR = "1", "2", "3"
"""The result digit of field 48."""


class SettleReply(msgspec.Struct, frozen=True, kw_only=True):
    """`result` is the digit of field 48: 1 balanced (the batch is closed), 2 not balanced (it stays open), 3 error."""

    result: bounds.Code
    rrn: bounds.Rrn
    at_ms: int
    totals: Totals
    """What the host counted."""


class UploadedDetail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transaction that a terminal holds approved, as an upload tells of it. Its card number stays at the gateway."""

    stan: bounds.FullStan
    amount_minor: bounds.Amount
    foreign: bool = False
    """Its card is told as a foreign one (01)."""


class Cryptogram(msgspec.Struct, frozen=True, kw_only=True):
    """What the chip has signed (field 55 of a 0320/203): evidence, kept and never checked here. All of it upper-case hex."""

    cryptogram: Annotated[str, Meta(pattern=r"^[0-9A-F]{16}$")]
    """Tag 9F26: the TC, or the ARQC of an online approval."""
    information: Annotated[str, Meta(pattern=r"^([0-9A-F]{2})?$")] = ""
    """Tag 9F27: which of the two it is."""
    counter: Annotated[str, Meta(pattern=r"^([0-9A-F]{4})?$")] = ""
    """Tag 9F36, the ATC."""


class UploadRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A terminal's 0320; subject `auth.v1.<shard>.upload`. Either details, or the end with its count."""

    terminal: bounds.Terminal
    merchant: bounds.Merchant
    batch: bounds.Batch
    stan: bounds.Stan
    details: Annotated[tuple[UploadedDetail, ...], Meta(max_length=8)] = ()
    """Field 48 of a 201 or 203."""
    cryptogram: Cryptogram | None = None
    """Of a 203, which has one detail."""
    count: Annotated[int, Meta(ge=0, le=9999)] | None = None
    """Field 48 of an end message (202, 207): how many details the terminal has uploaded in all."""


class UploadReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """00 taken; of an end message: the batch is closed. 12: no unbalanced close stands, or details are missing: ask for the close again.
    94: the same STAN was uploaded with other content.
    """

    response_code: bounds.Code
    at_ms: int
    rrn: bounds.Rrn = ""
    """Of the close."""


class CutOverRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `auth.v1.<shard>.cut-over`: the business day is ended on this shard."""

    day: Annotated[str, Meta(max_length=10)]
    """YYYY-MM-DD."""


class CutOverReply(msgspec.Struct, frozen=True, kw_only=True):
    """The last day that has been ended, which is the one that was asked for unless `refused` says why not."""

    at_ms: int
    """When it was."""
    day: str = ""
    refused: str = ""
    """One line that names the field and what to write."""


class IssuerRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Subject `issuer.v1.<institution>.authorize`; on `issuer.v1.<institution>.advise` it is an advice: the switch has approved it already, in the bank's stead, and it
    is booked whatever the account holds and whatever has become of the card.
    """

    transaction: bounds.TransactionId
    rrn: bounds.Rrn
    kind: Kind
    terminal: bounds.Terminal
    merchant: bounds.Merchant
    amount_minor: bounds.Amount
    currency: bounds.Currency
    entry_mode: bounds.EntryMode
    card: CardData
    kept_from: bounds.Batch = ""
    """All that this terminal did in batches before this one is final: no repetition of it comes any more. Empty: nothing is promised."""
    original: bounds.OptionalTransactionId = ""
    """The transaction that this one is about, as the switch has found it; it may have been asked of this bank long ago."""
    incoming: bool = False
    """The second half of a transfer: the amount comes to the card. Its bank may be that of the first half, under the same id."""
    instalment: InstalmentPlan | None = None
    takes_part: bool = False
    chip_reader: bool = False
    """The terminal reads chips."""
    authorization_code: bounds.AuthorizationCode = ""
    """Of an advice: the one that the switch has given."""
    counter: bounds.OptionalCounter = 0
    """Of an advice, which has nothing else of the chip: the ATC."""


class AdviseRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An advice of the switch to a bank; subject `cards.v1.advise`. The card's number is sealed: the gateway opens it and tells the bank, whose
    IssuerReply is the answer.
    """

    institution: Annotated[str, Meta(max_length=64)]
    transaction: bounds.TransactionId
    rrn: bounds.Rrn
    kind: Kind
    terminal: bounds.Terminal
    merchant: bounds.Merchant
    amount_minor: bounds.Amount
    currency: bounds.Currency
    entry_mode: bounds.EntryMode
    authorization_code: bounds.AuthorizationCode
    card: MaskedCard
    original: bounds.OptionalTransactionId = ""
    """The transaction that this one is about."""
    counter: bounds.OptionalCounter = 0
    """Of the chip's transactions (ATC); 0 where no chip has taken part."""


class IssuerReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    response_code: bounds.Code
    authorization_code: bounds.AuthorizationCode = ""
    part_minor: bounds.Amount = 0
    """With 10: what was approved of the amount."""
    balance: Balance | None = None
    instalment: InstalmentTerms | None = None
    chip: bounds.ChipData = b""
    """The bank's word to the chip (field 55 of the answer), with a refusal too."""


class IssuerReverseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Subject `issuer.v1.<institution>.reverse`: whatever `transaction` did is undone, and if it is unknown it will be refused should it still come."""

    transaction: bounds.TransactionId
    reason: bounds.Code


class IssuerReverseReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: bounds.Code
    """Always 00 once the ledger holds the reversal."""
