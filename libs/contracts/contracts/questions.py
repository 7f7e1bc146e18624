"""Questions to the projections (receipts, settlement) and their answers. A refused question comes back as `Refused`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.breaks import Break
from contracts.kinds import Kind
from contracts.states import State


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """Why a question has no answer: one line that names the field and what to do."""

    reason: str


class SlipQuestion(msgspec.Struct, frozen=True, kw_only=True):
    rrn: str
    copy: str = "merchant"
    """`merchant` 商户存根 or `cardholder` 持卡人存根."""
    reprint: bool = False
    """True marks the slip `--- 重打印 ---`."""


class Slip(msgspec.Struct, frozen=True, kw_only=True, tag="slip"):
    rrn: str
    copy: str
    text: str


class DaySummaryQuestion(msgspec.Struct, frozen=True, kw_only=True):
    merchant: str
    day: str
    """YYYY-MM-DD in the merchant's zone (Asia/Shanghai)."""


class DaySummaryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One batch of the day: what moves its merchant's money. Holds, looks and transfers are in no number."""

    terminal: str
    batch: str
    closed: bool
    sales_count: int
    sales_minor: int
    """What was taken from cards (debits)."""
    reversed_count: int
    """Of both."""
    reversed_minor: int
    """What they would have come to: debits less credits."""
    credits_count: int = 0
    credits_minor: int = 0
    """What was given back (voids, refunds)."""


class DaySummary(msgspec.Struct, frozen=True, kw_only=True, tag="day-summary"):
    merchant: str
    merchant_name: str
    day: str
    currency: str
    lines: tuple[DaySummaryLine, ...]
    captured_minor: int
    """Approved, not reversed, batch still open: debits less credits."""
    payable_minor: int
    """Settled: what the acquirer owes the merchant; below zero: what the merchant owes."""


class BatchQuestion(msgspec.Struct, frozen=True, kw_only=True):
    terminal: str
    batch: str = ""
    """Empty: the last one that was closed."""
    reprint: bool = False
    """True titles the slip `上批POS结算总计`."""


class SettlementSlip(msgspec.Struct, frozen=True, kw_only=True, tag="settlement-slip"):
    terminal: str
    batch: str
    text: str


class TransactionQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Asked by a shard's owner of a transaction that it has forgotten. Answered only by a ledger that has read the shard's journal so far."""

    shard: int
    sequence: int
    """The last group that the owner knows to be durable."""
    ids: tuple[str, ...]
    """The transaction may be any of these: a terminal names batch and STAN, and the merchant has several terminals."""
    rrn: str = ""
    """Empty: it was not said."""
    authorization_code: str = ""
    """Empty: it was not said."""


class FoundTransaction(msgspec.Struct, frozen=True, kw_only=True, tag="transaction"):
    """One that stands approved or settled, and what stands on it (contracts.kinds.CLAIMS)."""

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    institution: str
    authorization_code: str
    state: State
    decided_ms: int
    taken_minor: int
    spent: bool
    original: str = ""
    """The id of the transaction on which this one stands."""
    asked_minor: int = 0
    """What was asked for: amount_minor, or more of what was approved in part, which its reversal repeats; 0 from a ledger that does not say it yet."""


class NoTransaction(msgspec.Struct, frozen=True, kw_only=True, tag="no-transaction"):
    """None of those ids stands with that RRN and that authorization code."""


class BreaksQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload has left open between host and terminal. What is empty is any."""

    merchant: str = ""
    terminal: str = ""
    batch: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class BreakLine(msgspec.Struct, frozen=True, kw_only=True):
    """As contracts.journal.BreakFound has it."""

    at_ms: int
    terminal: str
    merchant: str
    batch: str
    stan: str
    difference: Break
    currency: str
    terminal_minor: int
    host_minor: int
    host_state: str
    """Empty: the host does not know it."""
    host_rrn: str


class Breaks(msgspec.Struct, frozen=True, kw_only=True, tag="breaks"):
    """The newest first."""

    lines: tuple[BreakLine, ...]
    count: int
    """All that were asked for; of those that do not fit the limit the oldest are left out."""


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """How far a projection has read: shard → sequence of the last group in its database."""

    checkpoints: dict[str, int]
    stopped: str = ""
    """Why a poison message stopped it; empty when it runs."""
