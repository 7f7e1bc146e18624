"""Slips as they come out of the printer, compared with the files in tests/golden/slips."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.authorization import BALANCED, NOT_BALANCED, Totals
from contracts.chip import ChipFacts
from contracts.kinds import KINDS, Kind
from contracts.paper import WIDTH, columns
from receipts.domain.slip import Copy, Marks, SlipFacts, render
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

VOID_DAY_MS = SALE.at_ms + 86_400_000
AUTH = replace(SALE, kind=Kind.PRE_AUTH, amount_minor=100_000)
COMPLETED = replace(SALE, kind=Kind.COMPLETION, amount_minor=110_000)
INSTALMENT = replace(SALE, kind=Kind.INSTALMENT, amount_minor=100_000, periods=3, first_minor=33_334, fee_minor=1_800)


def later(original: SlipFacts, kind: Kind, amount_minor: int = 0) -> SlipFacts:
    """What is done to `original` on the day after it."""
    return replace(
        original,
        kind=kind,
        rrn="010000000077",
        stan="000077",
        authorization_code="D4E5F6",
        at_ms=VOID_DAY_MS,
        amount_minor=amount_minor or original.amount_minor,
        original=f"{original.terminal}:{original.batch}:{original.stan}",
        original_rrn=original.rrn,
        periods=0,
        first_minor=0,
        fee_minor=0,
    )


OF_KINDS: dict[Kind, tuple[SlipFacts, SlipFacts | None]] = {
    Kind.VOID: (later(SALE, Kind.VOID), SALE),
    Kind.REFUND: (later(SALE, Kind.REFUND, 200), SALE),
    Kind.PRE_AUTH: (AUTH, None),
    Kind.PRE_AUTH_VOID: (later(AUTH, Kind.PRE_AUTH_VOID), AUTH),
    Kind.COMPLETION: (later(AUTH, Kind.COMPLETION, 110_000), AUTH),
    Kind.COMPLETION_ADVICE: (later(AUTH, Kind.COMPLETION_ADVICE, 90_000), AUTH),
    Kind.COMPLETION_VOID: (later(COMPLETED, Kind.COMPLETION_VOID), COMPLETED),
    Kind.INSTALMENT: (INSTALMENT, None),
    Kind.INSTALMENT_VOID: (later(INSTALMENT, Kind.INSTALMENT_VOID), INSTALMENT),
    Kind.TRANSFER: (replace(SALE, kind=Kind.TRANSFER, entry_mode="051", target_card="629101******0026"), None),
    Kind.OFFLINE_SALE: (replace(SALE, kind=Kind.OFFLINE_SALE, entry_mode="072"), None),
}
"""Each kind that prints, but the sale: what its slip says, and what its original's does."""
CHIP = ChipFacts(
    application="F0000048220102",
    cryptogram="0A1B2C3D4E5F6071",
    information="80",
    results="0000040000",
    counter="002A",
)
INSERTED = replace(SALE, entry_mode="051", chip=CHIP)
ALONE = replace(SALE, kind=Kind.OFFLINE_SALE, entry_mode="072", chip=replace(CHIP, information="40"))
PART = replace(SALE, amount_minor=1000, asked_minor=1234)

EVERY_KIND = replace(
    BATCH,
    totals=Totals(debit_minor=360_234, debit_count=8, credit_minor=211_434, credit_count=5),
    lines=(
        KindTotal(Kind.SALE, 3, 3_702),
        KindTotal(Kind.VOID, 1, 1_234),
        KindTotal(Kind.REFUND, 2, 200),
        KindTotal(Kind.COMPLETION, 1, 110_000),
        KindTotal(Kind.COMPLETION_ADVICE, 1, 90_000),
        KindTotal(Kind.COMPLETION_VOID, 1, 110_000),
        KindTotal(Kind.INSTALMENT, 2, 155_298),
        KindTotal(Kind.INSTALMENT_VOID, 1, 100_000),
        KindTotal(Kind.OFFLINE_SALE, 1, 1_234),
    ),
)

SLIPS = {
    **{
        f"{kind.value}-{copy.value}": render(facts, copy, original=original)
        for kind, (facts, original) in OF_KINDS.items()
        for copy in Copy
    },
    "sale-merchant-chip": render(INSERTED, Copy.MERCHANT),
    "sale-cardholder-chip": render(INSERTED, Copy.CARDHOLDER),
    "offline-sale-merchant-chip": render(ALONE, Copy.MERCHANT),
    "sale-cardholder-in-part": render(PART, Copy.CARDHOLDER),
    "sale-merchant-voided": render(SALE, Copy.MERCHANT, reprint=True, marks=Marks(voided=True)),
    "settlement-every-kind": settlement_slip(EVERY_KIND, "云溪茶馆"),
    "sale-merchant": render(SALE, Copy.MERCHANT),
    "sale-cardholder": render(SALE, Copy.CARDHOLDER),
    "sale-merchant-reprint": render(SALE, Copy.MERCHANT, reprint=True),
    "sale-cardholder-reprint-reversed": render(SALE, Copy.CARDHOLDER, reprint=True, marks=Marks(reversed=True)),
    "settlement-balanced": settlement_slip(BATCH, "云溪茶馆"),
    "settlement-balanced-reprint": settlement_slip(BATCH, "云溪茶馆", reprint=True),
    "settlement-not-balanced": settlement_slip(UNBALANCED, "云溪茶馆"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_slip(name: str) -> None:
    assert SLIPS[name] == (FILES / f"{name}.txt").read_text(encoding="utf-8")


def test_every_kind_that_prints_has_its_slips_here() -> None:
    assert {Kind.SALE, *OF_KINDS} == {kind for kind, facts in KINDS.items() if facts.slip}


def test_every_file_belongs_to_a_slip() -> None:
    assert {path.stem for path in FILES.iterdir()} == set(SLIPS)


@pytest.mark.parametrize("name", SLIPS)
def test_every_line_fits_the_paper(name: str) -> None:
    assert max(columns(line) for line in SLIPS[name].splitlines()) <= WIDTH
