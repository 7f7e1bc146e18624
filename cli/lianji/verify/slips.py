"""The slips of receipts, each held against the journal's path while it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Engine, text

from contracts.kinds import KINDS, Kind
from contracts.money import CNY, Money
from contracts.paper import field
from lianji.verify.books import AT_ONCE
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals
from lianji.verify.paths import Path

_CHECKPOINTS = text("SELECT partition, sequence FROM checkpoints")
_SLIPS = text(
    "SELECT rrn, transaction_id, shard, sequence, position, facts, merchant_copy, cardholder_copy, reversed_at_ms FROM slips"
)
_SHANGHAI = timezone(timedelta(hours=8))
_CURRENCIES = {CNY: "RMB"}


class _Facts(msgspec.Struct):
    """What a slip was printed from (column `facts`). Names are not compared: they are those of the day of the sale."""

    rrn: str
    kind: str
    terminal: str
    merchant: str
    operator: str
    card: str
    entry_mode: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    at_ms: int
    authorization_code: str = ""


_facts = msgspec.json.Decoder(_Facts)


@lru_cache(maxsize=64)  # a busy second has many slips
def _date_time(second: int) -> str:
    return datetime.fromtimestamp(second, _SHANGHAI).strftime("%Y/%m/%d %H:%M:%S")


def _amount(path: Path) -> str:
    return f"{_CURRENCIES.get(path.currency, path.currency)} {Money(path.amount_minor, path.currency)}"


def _kind(path: Path) -> str:
    facts = KINDS[Kind(path.kind)]
    return f"{facts.chinese}({facts.english})"


PRINTED: dict[str, Callable[[Path], str]] = {
    "商户编号(MERCHANT NO)": lambda path: path.merchant,
    "终端编号(TERMINAL NO)": lambda path: path.terminal,
    "操作员号(OPERATOR NO)": lambda path: path.operator,
    "交易类型(TRANS TYPE)": _kind,
    "批次号(BATCH NO)": lambda path: path.batch,
    "凭证号(VOUCHER NO)": lambda path: path.stan,
    "授权码(AUTH NO)": lambda path: path.authorization_code,
    "参考号(REFER NO)": lambda path: path.rrn,
    "日期/时间(DATE/TIME)": lambda path: _date_time(path.decided_ms // 1000),
    "金额(AMOUNT)": _amount,
}
"""The lines that both copies must have (terminal-protocol, "Receipt and settlement slip"): label, and what the journal says."""

_HEADS = {"merchant_copy": "商户存根(MERCHANT COPY)", "cardholder_copy": "持卡人存根(CARDHOLDER COPY)"}
_SIGNATURE = "持卡人签名 CARDHOLDER SIGNATURE"
"""On the merchant's copy alone."""


class Slips:
    """Receipts' database, opened for reading only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def checkpoints(self) -> dict[str, int]:
        """Shard → sequence of the last group in here."""
        with self._engine.begin() as connection:
            return {str(p): int(s) for p, s in connection.execute(_CHECKPOINTS)}

    def read(self, facts: Facts, journals: Journals) -> Iterator[int]:
        """Fills the table `slips`: what of a slip is not what the journal says, empty when all is. Counts; raises SQLAlchemyError."""
        facts.table("slips", "id", "rrn", "differs", "reversed")
        with self._engine.begin() as connection:
            rows = connection.execution_options(yield_per=AT_ONCE).execute(_SLIPS)
            yield from facts.writing(
                "INSERT INTO slips VALUES (?, ?, ?, ?)",
                (
                    (row.transaction_id, row.rrn, ", ".join(differences(row, journals)), row.reversed_at_ms is not None)
                    for row in rows
                ),
            )
        facts.index("slips_of", "slips", "id")


def differences(row: Any, journals: Journals) -> Iterator[str]:
    """What of a slip's row differs from the journal, by name."""
    path = journals.path(row.transaction_id)
    if path is None or not path.approved:
        yield "there is no such approval"
        return
    try:
        stored = _facts.decode(row.facts)
    except msgspec.MsgspecError:
        yield "facts cannot be read"
        return
    for name in _Facts.__struct_fields__:
        wanted = path.decided_ms if name == "at_ms" else getattr(path, name)
        if getattr(stored, name) != wanted:
            yield name
    if row.rrn != path.rrn:
        yield "key"
    if (row.shard, row.sequence, row.position) != (path.shard, path.decided_sequence, path.decided_position):
        yield "place in the journal"
    if row.reversed_at_ms != (path.undone_ms if path.undone else None):
        yield "reversed mark"
    yield from _misprints(row, path)


def _misprints(row: Any, path: Path) -> Iterator[str]:
    lines = [line for label, value in PRINTED.items() for line in ("\n".join(field(label, value(path))),)]
    for copy, head in _HEADS.items():
        printed = f"\n{getattr(row, copy)}"
        missing = [line.partition("(")[0] for line in lines if f"\n{line}\n" not in printed]
        missing += [] if path.card in printed else ["卡号"]
        signed = _SIGNATURE in printed
        if missing or f"\n{head}\n" not in printed or signed is not (copy == "merchant_copy"):
            yield f"{copy}: {' '.join(missing) or 'head or signature'}"
