"""The stop list (止付名单): what a bank tells of cards that were reported, what the switch keeps of it, and who asks for it.

A bank writes a report into its ledger and tells it until it is acknowledged; the gateway, which alone can seal and digest a card number, hands
it to every shard; each shard keeps the list in its journal, under a version that goes up by one with each change. Version BASE is the list that
the world begins with.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts import bounds, response_codes
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan
from contracts.reports import Report

BASE = 1
"""The version of a list that nobody has changed."""
EXEMPT = frozenset({Kind.COMPLETION_ADVICE})
"""Kinds for which nobody asks the list: a notice of what a pre-authorization has covered, for goods that have gone."""
MOST_LINES = 100
"""Of a list, in one answer."""

Prefix = Annotated[str, Meta(pattern=r"^([0-9]{6,10})?$")]
"""Of card numbers: at most 10 digits, so it is no card's."""
Institution = Annotated[str, Meta(min_length=1, max_length=32)]
Number = Annotated[int, Meta(ge=1)]
Size = Annotated[int, Meta(ge=0)]


REASONS = {
    Report.LOST: response_codes.LOST_CARD,
    Report.STOLEN: response_codes.STOLEN_CARD,
    Report.CAPTURE: response_codes.CAPTURE_CARD,
}
"""Field 39 of whoever uses such a card."""
DIGITS = {response_codes.LOST_CARD: "1", response_codes.STOLEN_CARD: "2", response_codes.CAPTURE_CARD: "4"}
"""Field 39 → the reason digit of a record that terminals download."""


class ReportQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody rings up a bank; subject `issuer.v1.<institution>.report`. By account or by prefix."""

    report: Report
    account: Annotated[str, Meta(max_length=32)] = ""
    prefix: Prefix = ""


class ReportReply(msgspec.Struct, frozen=True, kw_only=True):
    """00: it is in the ledger, and the switch will hear of it. 14: no account or prefix of this bank. 12: there is nothing to take back. 30: unreadable."""

    response_code: bounds.Code


class StopNotice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Subject `stop-list.v1.<institution>.notice`, which that bank alone may use: by the broker's word the card is the bank's to stop."""

    entry: Number
    """The bank's number for this card or prefix."""
    revision: Number
    """Goes up with each report of the entry: what is older than what is known says nothing new."""
    reason: bounds.Code
    """Field 39; empty: taken off the list."""
    pan: Pan | None = None
    prefix: Prefix = ""
    """One of the two."""


class NoticeReply(msgspec.Struct, frozen=True, kw_only=True):
    """00: every shard has it in its journal. Anything else: not all of them, as far as is known, and the notice is to be told again."""

    response_code: bounds.Code


class StopRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice for one shard; subject `auth.v1.<shard>.stop`."""

    institution: Institution
    entry: Number
    revision: Number
    reason: bounds.Code
    card: MaskedCard | None = None
    other_digests: tuple[bounds.Digest, ...] = ()
    """Of the same number under the other versions of the data key that can be used."""
    prefix: Prefix = ""


class StopReply(msgspec.Struct, frozen=True, kw_only=True):
    response_code: bounds.Code
    version: Size
    """Of the list that holds it."""


class StopListQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The list of a shard, from a line on; subject `auth.v1.<shard>.stop-list`."""

    first: Size = 0
    most: Annotated[int, Meta(ge=0, le=MOST_LINES)] = MOST_LINES


class StopLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card, sealed with `sealed_with`, or a prefix."""

    institution: str
    entry: int
    reason: str
    card: MaskedCard | None = None
    prefix: str = ""


class StopListPage(msgspec.Struct, frozen=True, kw_only=True):
    """In the order in which they came. Beyond BASE: what is on the world's own list is not in it."""

    response_code: bounds.Code
    version: Size
    size: Size
    """Lines of the whole list."""
    lines: tuple[StopLine, ...] = ()


class StopCheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Is this card on the list? Subject `auth.v1.<shard>.stop-check`. Its number does not come along: digests find it."""

    terminal: bounds.Terminal
    merchant: bounds.Merchant
    digests: tuple[bounds.Digest, ...]
    """Under every version of the data key that can be used."""
    prefix: Prefix
    """The number's first 10 digits."""


class StopCheckReply(msgspec.Struct, frozen=True, kw_only=True):
    """00: it is not on it; else the code that using it would be answered. 77: the terminal has not signed on."""

    response_code: bounds.Code
    version: Size = 0
    at_ms: int = 0


def sealed_with(institution: str, entry: int) -> bytes:
    """The associated data of a card number on the list: in another entry it does not open.

    >>> sealed_with("huaxing", 3)
    b'pan of stop list entry huaxing:3'
    """
    return f"pan of stop list entry {institution}:{entry}".encode()
