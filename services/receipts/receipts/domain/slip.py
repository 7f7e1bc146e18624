"""The sales slip 签购单 as text, 32 columns (terminal-protocol, "Receipt and settlement slip")."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from contracts.chip import ChipFacts
from contracts.identity import identity_of
from contracts.kinds import KINDS, Effect, Kind
from contracts.money import CNY, Money
from contracts.paper import RULE, centred, field, wrap

SHANGHAI = timezone(timedelta(hours=8))
"""Asia/Shanghai: UTC+8 without summer time since 1992, so no zone database is needed."""

_ENTRY = {"01": "/M", "02": "/S", "05": "/I", "07": "/C", "90": "/S"}
"""What is printed behind the card number, by the first two digits of field 22: keyed, swiped, inserted, contactless."""

_CURRENCIES = {CNY: "RMB"}

EXPIRY = "****"
"""The journal holds no expiry, and so no slip shows one."""

_SIGNATURE = (
    RULE,
    "持卡人签名 CARDHOLDER SIGNATURE",
    "",
    "",
    RULE,
    *wrap("本人确认以上交易，同意将其计入本人账户"),
    *wrap("I ACKNOWLEDGE SATISFACTORY RECEIPT OF RELATIVE GOODS/SERVICE"),
)
"""The merchant keeps this; the cardholder signs on the empty lines."""


class Copy(StrEnum):
    MERCHANT = "merchant"
    CARDHOLDER = "cardholder"


_TITLE, _REPRINTED = centred("POS签购单"), centred("--- 重打印 ---")
_HEADS = {Copy.MERCHANT: "商户存根(MERCHANT COPY)", Copy.CARDHOLDER: "持卡人存根(CARDHOLDER COPY)"}


class SlipFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a slip says. The card is masked before it gets here; names are those of the day of the sale."""

    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    merchant_name: str
    operator: str
    issuer_name: str
    acquirer: str
    card: str
    """First 6 and last 4."""
    entry_mode: str
    """Field 22."""
    batch: str
    stan: str
    amount_minor: int
    """What was approved."""
    currency: str
    at_ms: int
    """Host time of the answer."""
    authorization_code: str = ""
    asked_minor: int = 0
    """Of an approval in part (10): what was asked for. 0: all of it was approved."""
    original: str = ""
    """The id of the transaction that this one is about."""
    original_rrn: str = ""
    target_card: str = ""
    """Of a transfer: first 6 and last 4 of the card that it goes to."""
    periods: int = 0
    """Of an instalment sale; with them, in minor units, the first payment without the fee, and the fee in all."""
    first_minor: int = 0
    fee_minor: int = 0
    chip: ChipFacts | None = None
    """Of a transaction that a chip has taken part in."""


class Marks(NamedTuple):
    """What has come of the transaction since its slip was filed."""

    reversed: bool = False
    voided: bool = False
    """By a void that stands: one that has been reversed itself voids nothing."""


NO_MARKS = Marks()


def render(
    facts: SlipFacts,
    copy: Copy,
    *,
    original: SlipFacts | None = None,
    reprint: bool = False,
    marks: Marks = NO_MARKS,
) -> str:
    """One copy as text, lines joined with newlines. Only the merchant's has the lines for the signature.

    `original` is what the slip of the transaction says that this one is about.
    """
    head = _HEADS[copy]
    lines = [
        *((_TITLE, _REPRINTED, head) if reprint else (_TITLE, head)),
        _body(facts),
        *_remarks(facts, original),
        *(("本交易已被撤销(VOIDED)",) if marks.voided else ()),
        *(("本交易已冲正(REVERSED)",) if marks.reversed else ()),
        *(_SIGNATURE if copy is Copy.MERCHANT else ()),
    ]
    return "\n".join(lines) + "\n"


def _body(facts: SlipFacts) -> str:
    """What both copies say, from the rule below the copy's name to the references."""
    kind = KINDS[facts.kind]
    return "\n".join(
        (
            RULE,
            *field("商户名称(MERCHANT NAME)", facts.merchant_name),
            *field("商户编号(MERCHANT NO)", facts.merchant),
            *field("终端编号(TERMINAL NO)", facts.terminal),
            *field("操作员号(OPERATOR NO)", facts.operator),
            *field("发卡行(ISSUER)", facts.issuer_name),
            *field("收单行(ACQUIRER)", facts.acquirer),
            RULE,
            *field("卡号(CARD NO)", " ".join(filter(None, (facts.card, _ENTRY.get(facts.entry_mode[:2], ""))))),
            *field("有效期(EXP DATE)", EXPIRY),
            *field("交易类型(TRANS TYPE)", f"{kind.chinese}({kind.english})"),
            *field("批次号(BATCH NO)", facts.batch),
            *field("凭证号(VOUCHER NO)", facts.stan),
            *field("授权码(AUTH NO)", facts.authorization_code),
            *field("参考号(REFER NO)", facts.rrn),
            *field("日期/时间(DATE/TIME)", _date_time(facts.at_ms // 1000)),
            *field("金额(AMOUNT)", _amount(facts.amount_minor, facts.currency)),
            RULE,
            "备注(REFERENCE):",
        )
    )


def _amount(minor: int, currency: str) -> str:
    return f"{_CURRENCIES[currency]} {Money(minor, currency)}"


def _remarks(facts: SlipFacts, original: SlipFacts | None) -> list[str]:
    """What is said of few slips: each kind's own, in one order."""
    lines: list[str] = []
    if facts.asked_minor:
        lines += field("请求金额(REQUESTED)", _amount(facts.asked_minor, facts.currency))
        lines.append("部分批准(PARTIAL APPROVAL)")
    if facts.original:
        lines += _of_original(facts, original)
    if facts.periods:
        lines += field("分期期数(PERIODS)", str(facts.periods))
    if facts.first_minor:
        lines += field("首期金额(FIRST)", _amount(facts.first_minor, facts.currency))
        lines += field("手续费(FEE)", _amount(facts.fee_minor, facts.currency))
    if facts.target_card:
        lines += field("转入卡号(TO CARD)", facts.target_card)
    if facts.chip is not None:
        lines += _of_chip(facts.chip)
    return lines


def _of_chip(chip: ChipFacts) -> list[str]:
    """The cryptogram that the host has seen: of an approval on line the ARQC, of one without it the TC."""
    return [
        *field("TC" if chip.offline else "ARQC", chip.cryptogram),
        *field("TVR", chip.results),
        *field("AID", chip.application),
        *field("ATC", chip.counter),
    ]


def _of_original(facts: SlipFacts, original: SlipFacts | None) -> list[str]:
    """Voucher, reference and date of an earlier transaction; what was held, where this one is a part of it or a little more."""
    _, batch, stan = identity_of(facts.original)
    lines = [
        *field("原批次号(ORIG BATCH)", batch),
        *field("原凭证号(ORIG VOUCHER)", stan),
        *field("原参考号(ORIG REFER)", facts.original_rrn),
    ]
    if original is None:
        return lines
    lines += field("原日期(ORIG DATE)", _date_time(original.at_ms // 1000)[:10])
    if KINDS[original.kind].effect is Effect.HOLDS:
        lines += field("原授权码(ORIG AUTH)", original.authorization_code)
        lines += field("预授权金额(AUTH AMT)", _amount(original.amount_minor, original.currency))
    return lines


@lru_cache(maxsize=64)  # a busy second has many slips
def _date_time(second: int) -> str:
    return datetime.fromtimestamp(second, SHANGHAI).strftime("%Y/%m/%d %H:%M:%S")
