"""The settlement slip 结算单 as text, 32 columns (terminal-protocol, "Receipt and settlement slip")."""

from __future__ import annotations

from contracts.authorization import BALANCED
from contracts.kinds import KINDS
from contracts.money import Money
from contracts.paper import RULE, centred, field, table_row
from settlement.domain.days import date_time
from settlement.domain.ledger import Batch


def settlement_slip(batch: Batch, merchant_name: str, *, reprint: bool = False) -> str:
    """The slip of a batch whose close was asked for, lines joined with newlines.

    Debit and credit are the host's totals; the total is debit − credit. A batch that did not balance prints 不平.
    """
    totals, currency = batch.totals, batch.currency
    verdict = "内卡对账平" if batch.result == BALANCED else "内卡对账不平"
    lines = [
        centred("上批POS结算总计" if reprint else "POS结算总计"),
        RULE,
        *field("商户名称(MERCHANT NAME)", merchant_name),
        *field("商户编号(MERCHANT NO)", batch.merchant),
        *field("终端编号(TERMINAL NO)", batch.terminal),
        *field("操作员号(OPERATOR NO)", batch.operator),
        *field("批次号(BATCH NO)", batch.batch),
        *field("凭证号(VOUCHER NO)", batch.stan),
        *field("参考号(REFER NO)", batch.rrn),
        *field("日期/时间(DATE/TIME)", date_time(batch.at_ms)),
        RULE,
        *table_row("交易类型", "总笔数", "总金额"),
        verdict,
    ]
    for line in batch.lines:
        lines += table_row(KINDS[line.kind].chinese, str(line.count), str(Money(line.amount_minor, currency)))
    lines += [
        RULE,
        *table_row("借记(DEBIT)", str(totals.debit_count), str(Money(totals.debit_minor, currency))),
        *table_row("贷记(CREDIT)", str(totals.credit_count), str(Money(totals.credit_minor, currency))),
        *table_row("总计(TOTAL)", "", str(Money(totals.debit_minor - totals.credit_minor, currency))),
    ]
    return "\n".join(lines) + "\n"
