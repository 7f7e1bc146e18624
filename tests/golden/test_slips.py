"""Slips as they come out of the printer, compared with the files in tests/golden/slips."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.authorization import BALANCED, NOT_BALANCED, Totals
from contracts.kinds import Kind
from contracts.paper import WIDTH, columns
from receipts.domain.slip import Copy, SlipFacts, render
from settlement.domain.ledger import Batch, KindTotal
from settlement.domain.slip import settlement_slip

FILES = Path(__file__).parent / "slips"

SALE = SlipFacts(
    rrn="010000000042",
    kind=Kind.SALE,
    terminal="10000001",
    merchant="482290058130001",
    merchant_name="云溪茶馆",
    operator="01",
    issuer_name="南海信用银行",
    acquirer="48210000",
    card="628202******0018",
    entry_mode="021",
    batch="000001",
    stan="000042",
    amount_minor=1234,
    currency="156",
    at_ms=1_769_832_000_000,
    authorization_code="A1B2C3",
)
BATCH = Batch(
    terminal="10000001",
    batch="000001",
    merchant="482290058130001",
    closed=True,
    result=BALANCED,
    at_ms=1_769_875_199_000,
    operator="01",
    stan="000099",
    rrn="010000000099",
    currency="156",
    totals=Totals(debit_minor=1_234_567_890_12, debit_count=137, credit_minor=0, credit_count=0),
    lines=(KindTotal(Kind.SALE, 137, 1_234_567_890_12),),
)
UNBALANCED = Batch(
    terminal="10000001",
    batch="000002",
    merchant="482290058130001",
    result=NOT_BALANCED,
    at_ms=1_769_875_199_000,
    operator="01",
    stan="000100",
    rrn="010000000100",
    currency="156",
)

SLIPS = {
    "sale-merchant": render(SALE, Copy.MERCHANT),
    "sale-cardholder": render(SALE, Copy.CARDHOLDER),
    "sale-merchant-reprint": render(SALE, Copy.MERCHANT, reprint=True),
    "sale-cardholder-reprint-reversed": render(SALE, Copy.CARDHOLDER, reprint=True, is_reversed=True),
    "settlement-balanced": settlement_slip(BATCH, "云溪茶馆"),
    "settlement-balanced-reprint": settlement_slip(BATCH, "云溪茶馆", reprint=True),
    "settlement-not-balanced": settlement_slip(UNBALANCED, "云溪茶馆"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_slip(name: str) -> None:
    assert SLIPS[name] == (FILES / f"{name}.txt").read_text(encoding="utf-8")


def test_every_file_belongs_to_a_slip() -> None:
    assert {path.stem for path in FILES.iterdir()} == set(SLIPS)


@pytest.mark.parametrize("name", SLIPS)
def test_every_line_fits_the_paper(name: str) -> None:
    assert max(columns(line) for line in SLIPS[name].splitlines()) <= WIDTH
