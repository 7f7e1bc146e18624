"""The kinds of transaction that terminals make: how each looks on the wire and on paper, what it does to money, and what it may be done to.

Two tables, which everything else follows. `KINDS` says what a kind is (terminal-protocol, Transactions). `CLAIMS` says of the kinds that
refer to an earlier transaction to which ones, and how much of it they may take. Where a single transaction stands is `contracts.states`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    SALE = "sale"
    VOID = "void"
    REFUND = "refund"
    PRE_AUTH = "pre-auth"
    PRE_AUTH_VOID = "pre-auth-void"
    COMPLETION = "completion"
    """Of a pre-authorization, as a request: the bank may refuse."""
    COMPLETION_ADVICE = "completion-advice"
    """The same as a notice: the bank takes it."""
    COMPLETION_VOID = "completion-void"
    INSTALMENT = "instalment"
    INSTALMENT_VOID = "instalment-void"
    BALANCE = "balance"
    CARD_CHECK = "card-check"
    """Of the cardholder, before a transfer."""
    TRANSFER = "transfer"
    """Card to card, between two banks or within one."""
    OFFLINE_SALE = "offline-sale"
    """Approved by terminal and chip alone, told afterwards: the bank takes it."""


class Effect(StrEnum):
    """What an approval does on the cardholder's account."""

    TAKES = "takes"
    """The amount leaves it, and goes to the merchant: a debit in field 48."""
    RETURNS = "returns"
    """The amount comes back from the merchant: a credit in field 48."""
    HOLDS = "holds"
    """The amount is set aside until its term ends, or until it is completed or voided."""
    RELEASES = "releases"
    """A hold ends."""
    MOVES = "moves"
    """The amount leaves it and goes to another card's account."""
    LOOKS = "looks"
    """Nothing."""


class KindFacts(NamedTuple):
    """How a kind looks on the wire and on paper, and what it does."""

    mti: str
    processing_code: str
    """Field 3."""
    condition_code: str
    """Field 25."""
    message_type: str
    """Field 60.1."""
    reversible: bool
    effect: Effect
    chinese: str
    english: str

    @property
    def debit(self) -> bool:
        """Counted as a debit in field 48 (sale, instalment, completion). A void does not end this: it is a credit of its own."""
        return self.effect is Effect.TAKES

    @property
    def credit(self) -> bool:
        """Counted as a credit in field 48 (void, completion void, refund)."""
        return self.effect is Effect.RETURNS

    @property
    def settles(self) -> bool:
        """Settled with its merchant when its batch is closed. The others end as they are: no merchant's money has moved."""
        return self.effect in (Effect.TAKES, Effect.RETURNS)

    @property
    def notice(self) -> bool:
        """It tells of what has happened, or what the merchant has granted (0220): kept by the terminal and sent until it is answered, so
        without PIN or track."""
        return self.mti == "0220"

    @property
    def advice(self) -> bool:
        """A notice that the bank books whatever the account holds."""
        return self.notice and self.effect is Effect.TAKES

    @property
    def slip(self) -> bool:
        """Two slips print of an approval."""
        return self.effect is not Effect.LOOKS

    @property
    def charge(self) -> int:
        """What an approval of 1 takes from the cardholder's account: 1, -1 or 0. A hold takes nothing yet."""
        return {Effect.TAKES: 1, Effect.MOVES: 1, Effect.RETURNS: -1}.get(self.effect, 0)


_TAKES, _RETURNS, _HOLDS = Effect.TAKES, Effect.RETURNS, Effect.HOLDS
_RELEASES, _MOVES, _LOOKS = Effect.RELEASES, Effect.MOVES, Effect.LOOKS

KINDS: dict[Kind, KindFacts] = {
    Kind.SALE: KindFacts("0200", "000000", "00", "22", True, _TAKES, "消费", "SALE"),
    Kind.VOID: KindFacts("0200", "200000", "00", "23", True, _RETURNS, "消费撤销", "VOID"),
    Kind.REFUND: KindFacts("0220", "200000", "00", "25", False, _RETURNS, "退货", "REFUND"),
    Kind.PRE_AUTH: KindFacts("0100", "030000", "06", "10", True, _HOLDS, "预授权", "AUTH"),
    Kind.PRE_AUTH_VOID: KindFacts("0100", "200000", "06", "11", True, _RELEASES, "预授权撤销", "AUTH VOID"),
    Kind.COMPLETION: KindFacts("0200", "000000", "06", "20", True, _TAKES, "预授权完成(请求)", "AUTH COMPLETE"),
    Kind.COMPLETION_ADVICE: KindFacts(
        "0220", "000000", "06", "24", False, _TAKES, "预授权完成(通知)", "AUTH SETTLEMENT"
    ),
    Kind.COMPLETION_VOID: KindFacts("0200", "200000", "06", "21", True, _RETURNS, "预授权完成撤销", "COMPLETE VOID"),
    Kind.INSTALMENT: KindFacts("0200", "000000", "64", "22", True, _TAKES, "分期消费", "INSTALMENT"),
    Kind.INSTALMENT_VOID: KindFacts("0200", "200000", "64", "23", True, _RETURNS, "分期消费撤销", "INSTALMENT VOID"),
    Kind.BALANCE: KindFacts("0200", "310000", "00", "01", False, _LOOKS, "余额查询", "BALANCE"),
    Kind.CARD_CHECK: KindFacts("0100", "330000", "00", "01", False, _LOOKS, "持卡人验证", "CARDHOLDER CHECK"),
    Kind.TRANSFER: KindFacts("0200", "400000", "66", "49", True, _MOVES, "转账", "TRANSFER"),
    Kind.OFFLINE_SALE: KindFacts("0220", "000000", "00", "30", False, _TAKES, "离线消费", "OFFLINE SALE"),
}


ADVICES = frozenset(kind for kind, facts in KINDS.items() if facts.advice)


class Claim(NamedTuple):
    """What a kind that refers to an earlier transaction, its original, may be done to. The original must stand approved."""

    originals: frozenset[Kind]
    same_batch: bool
    """The original is of the same terminal and its open batch; else any terminal's of the merchant, however long ago."""
    whole: bool
    """By the original's whole amount; a completion and a refund choose theirs."""
    exclusive: bool
    """Nothing else may stand on the original; else in parts, which never come to more than it."""
    most_percent: int = 100
    """Of the original's amount; a completion is held to what its merchant may take (Merchant.completion_percent), and this is the most."""


CLAIMS: dict[Kind, Claim] = {
    Kind.VOID: Claim(frozenset({Kind.SALE}), True, True, True),
    Kind.INSTALMENT_VOID: Claim(frozenset({Kind.INSTALMENT}), True, True, True),
    Kind.COMPLETION_VOID: Claim(frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE}), True, True, True),
    Kind.PRE_AUTH_VOID: Claim(frozenset({Kind.PRE_AUTH}), False, True, True),
    Kind.COMPLETION: Claim(frozenset({Kind.PRE_AUTH}), False, False, True, 115),
    Kind.COMPLETION_ADVICE: Claim(frozenset({Kind.PRE_AUTH}), False, False, True, 115),
    Kind.REFUND: Claim(
        frozenset({Kind.SALE, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE}), False, False, False
    ),
}
"""A claim stands while its transaction may have had an effect: from its intent until it is declined, or its reversal is acknowledged."""


def most_of(minor: int, percent: int) -> int:
    """The most that may be completed of `minor` authorized; fractions of a minor unit are the cardholder's.

    >>> most_of(1001, 115)
    1151
    """
    return minor * percent // 100
