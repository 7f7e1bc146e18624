"""What came of a transaction or a close, in words for the screen: Chinese with English beside."""

from __future__ import annotations

from contracts.kinds import KINDS
from contracts.money import Money
from contracts.response_codes import RESPONSE_CODES, describe
from terminal_sim.outcomes import ReversalOutcome, TransactionOutcome
from terminal_sim.results import CloseResult, SwipeResult


def result(result: SwipeResult) -> tuple[str, ...]:
    """Of a transaction, and of what went ahead of it."""
    facts = KINDS[result.kind]
    lines = [*_ahead(result.reversal, result.notices), f"{facts.chinese} {facts.english}"]
    if result.refused:
        return (*lines, f"未发送 NOTHING SENT: {result.refused}")
    if result.stored and not result.reason:
        return (
            *lines,
            "脱机批准,联机后上送 APPROVED OFFLINE: told before the next one",
            f"凭证号 VOUCHER: {result.stan}",
        )
    if not result.rc or result.stored:
        return (*lines, f"无应答 NO ANSWER: {result.reason or 'nothing came back'}", _kept(result))
    lines += [code(result.rc), f"凭证号 VOUCHER: {result.stan}", f"参考号 REFER: {result.rrn}"]
    if result.part_minor:
        lines.append(f"批准金额 APPROVED: RMB {Money(result.part_minor)}")
    if result.balance is not None:
        lines.append(f"可用余额 AVAILABLE: RMB {Money(result.balance.available_minor)}")
    if (terms := result.terms) is not None:
        lines.append(f"首期 FIRST: RMB {Money(terms.first_minor)}")
        lines.append(f"手续费 FEE: RMB {Money(terms.fee_minor)}")
    return tuple(lines)


def code(rc: str) -> str:
    """`51 可用余额不足 insufficient funds`."""
    row = RESPONSE_CODES.get(rc)
    return f"{rc} {row.chinese} {row.name}" if row else describe(rc)


def closed(result: CloseResult) -> tuple[str, ...]:
    """Of a close."""
    if result.refused:
        return (f"未结算 NOT CLOSED: {result.refused}",)
    if not result.result:
        return ("无应答,请重新结算 NO ANSWER: settle again",)
    if result.balanced:
        return (f"批次 {result.batch} 对账平 BALANCED, CLOSED",)
    end = "已上送明细并结算 CLOSED by its details" if result.closed else "未结束,请重新结算 OPEN: settle again"
    return (f"批次 {result.batch} 对账不平 NOT BALANCED", end)


def _ahead(reversal: ReversalOutcome | None, notices: tuple[TransactionOutcome, ...]) -> list[str]:
    none = "无应答 no answer"
    lines = []
    if reversal is not None:
        answer = code(reversal.response_code) if reversal.response_code else none
        lines.append(f"冲正 REVERSED {reversal.stan}: {answer}")
    for notice in notices:
        answer = code(notice.response_code) if notice.response_code else none
        lines.append(f"上送 TOLD {notice.stan} {KINDS[notice.kind].english}: {answer}")
    return lines


def _kept(result: SwipeResult) -> str:
    """What becomes of a transaction without an answer."""
    if result.stored:
        return "已存,下笔前重发 KEPT: sent again before the next one"
    if result.pending:
        return "冲正已存,下笔前发送 REVERSAL KEPT: it goes before the next one"
    return "已冲正 REVERSED" if result.reversed else "请重试 ASK AGAIN"
