"""Questions to the projections (receipts, settlement) and their answers. A refused question comes back as `Refused`."""

from __future__ import annotations

import msgspec


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
    terminal: str
    batch: str
    closed: bool
    sales_count: int
    sales_minor: int
    reversed_count: int
    reversed_minor: int


class DaySummary(msgspec.Struct, frozen=True, kw_only=True, tag="day-summary"):
    merchant: str
    merchant_name: str
    day: str
    currency: str
    lines: tuple[DaySummaryLine, ...]
    captured_minor: int
    """Approved, not reversed, batch still open."""
    payable_minor: int
    """Settled: what the acquirer owes the merchant."""


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


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """How far a projection has read: shard → sequence of the last group in its database."""

    checkpoints: dict[str, int]
    stopped: str = ""
    """Why a poison message stopped it; empty when it runs."""
