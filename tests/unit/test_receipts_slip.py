"""What makes a slip, what is on it, and the layout of the paper."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import paper
from contracts.journal import EpochStarted, Intent, LateAnswer, Outcome, Record, Reversing, Tombstone
from contracts.kinds import CLAIMS, KINDS, Kind
from contracts.pan import MaskedCard
from contracts.states import State
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms
from receipts.domain.filing import File, FilingError, Names, needed
from receipts.domain.slip import Copy, Marks, render

ID = "10000001:000001:000001"
NAMES = Names(lambda mid: f"店{mid[-4:]}", lambda id: {"huaxing": "华星银行"}[id], "48210000")
INTENT = Intent(
    at_ms=1_769_832_000_000,
    id=ID,
    rrn="000000000001",
    kind=Kind.SALE,
    terminal="10000001",
    merchant="482290058130001",
    batch="000001",
    stan="000001",
    operator="07",
    amount_minor=5,
    currency="156",
    institution="huaxing",
    entry_mode="021",
    card=MaskedCard(first6="629101", last4="0018", length=16, digest="0" * 32),
    fingerprint="f",
)
APPROVED = Outcome(
    at_ms=1_769_832_001_000, id=ID, state=State.APPROVED, response_code="00", authorization_code="654321"
)
DECLINED = Outcome(at_ms=1_769_832_001_000, id=ID, state=State.DECLINED, response_code="51")
REVERSING = Reversing(at_ms=1_769_832_002_000, id=ID, reason="98", origin="terminal")


def taken(*records: Record) -> File:
    file = File(NAMES, {}, ())
    for position, record in enumerate(records):
        file.take(7, position, record)
    return file


def test_an_approval_makes_what_both_copies_say() -> None:
    slip = taken(EpochStarted(at_ms=0, epoch=1, owner="a"), INTENT, APPROVED).slips[ID]
    assert (slip.sequence, slip.position) == (7, 2)
    merchant, cardholder = render(slip.facts, Copy.MERCHANT), render(slip.facts, Copy.CARDHOLDER)
    for text in (merchant, cardholder):
        for part in (
            "POS签购单",
            "店0001",
            "华星银行",
            "629101******0018 /S",
            "消费(SALE)",
            "654321",
            "RMB 0.05",
            "07",
        ):
            assert part in text
        assert "2026/01/31 12:00:01" in text  # the answer's time, which the terminal got as fields 12 and 13
        assert "重打印" not in text
        assert "REVERSED" not in text
    assert "商户存根" in merchant
    assert "CARDHOLDER SIGNATURE" in merchant
    assert "持卡人存根" in cardholder
    assert "SIGNATURE" not in cardholder


@pytest.mark.parametrize("records", [(INTENT, DECLINED), (INTENT, REVERSING), (INTENT,)])
def test_nothing_but_an_approval_makes_a_slip(records: tuple[Record, ...]) -> None:
    file = taken(*records)
    assert file.slips == {}
    assert file.reversed == {}
    assert set(file.began) == ({ID} if records == (INTENT,) else set())


def test_a_reversal_of_an_approval_marks_its_slip() -> None:
    assert taken(INTENT, APPROVED, REVERSING).reversed == {ID: REVERSING.at_ms}
    file = File(NAMES, {}, {ID})
    file.take(9, 0, REVERSING)
    assert file.reversed == {ID: REVERSING.at_ms}


@pytest.mark.parametrize("filed", [{ID}, set()])
def test_a_tombstone_marks_the_slip_of_an_archived_sale(filed: set[str]) -> None:
    tombstone = Tombstone(
        at_ms=8,
        id=ID,
        rrn="000000000009",
        kind=Kind.SALE,
        terminal="10000001",
        merchant="482290058130001",
        batch="000001",
        stan="000001",
        amount_minor=5,
        currency="156",
        reason="98",
        institutions=("huaxing",),
    )
    file = File(NAMES, {}, filed)
    file.take(9, 0, tombstone)
    assert file.reversed == dict.fromkeys(filed, 8)
    assert needed([tombstone]) == {ID}


@pytest.mark.parametrize("kind", Kind)
def test_what_prints_a_slip(kind: Kind) -> None:
    """Every kind but a look, by its own name; a look has no amount and leaves nothing that waits."""
    looks = not KINDS[kind].slip
    intent = replace(INTENT, kind=kind, amount_minor=0 if looks else 5)
    outcome = replace(APPROVED, balance=Balance(available_minor=7, currency="156") if looks else None)
    file = taken(intent, outcome)
    assert set(file.slips) == (set() if looks else {ID})
    assert file.began == {}
    for slip in file.slips.values():
        printed = render(slip.facts, Copy.MERCHANT).replace("\n", "").replace(" ", "")
        assert f"{KINDS[kind].chinese}({KINDS[kind].english})".replace(" ", "") in printed
        assert "金额(AMOUNT): RMB 0.05" in render(slip.facts, Copy.CARDHOLDER)


@pytest.mark.parametrize("kind", CLAIMS)
def test_what_a_slip_says_of_its_original(kind: Kind) -> None:
    (original_kind, *_) = sorted(CLAIMS[kind].originals)
    original = replace(INTENT, id="10000002:000003:000044", rrn="000000000044", kind=original_kind, amount_minor=500)
    claim = replace(INTENT, kind=kind, original=original.id, original_rrn=original.rrn)
    file = taken(original, replace(APPROVED, id=original.id, authorization_code="ORIGIN"), claim, APPROVED)
    slip = file.slips[ID]
    text = render(slip.facts, Copy.CARDHOLDER, original=file.slips[original.id].facts)
    for part in ("ORIG BATCH): 000003", "ORIG VOUCHER): 000044", "000000000044", "ORIG DATE): 2026/01/31"):
        assert part in text
    of_a_hold = KINDS[original_kind].effect is KINDS[Kind.PRE_AUTH].effect
    assert ("RMB 5.00" in text) is of_a_hold
    assert ("ORIGIN" in text) is of_a_hold
    # Only what undoes its original voids it; a completion and a refund do not.
    undoes = kind in (Kind.VOID, Kind.INSTALMENT_VOID, Kind.COMPLETION_VOID, Kind.PRE_AUTH_VOID)
    assert slip.voids == (original.id if undoes else "")


def test_an_approval_in_part_says_both_amounts() -> None:
    facts = taken(replace(INTENT, amount_minor=1000), replace(APPROVED, response_code="10", part_minor=250)).slips[ID]
    text = render(facts.facts, Copy.CARDHOLDER)
    assert "金额(AMOUNT): RMB 2.50" in text
    assert "请求金额(REQUESTED): RMB 10.00" in text


def test_the_terms_of_an_instalment_sale() -> None:
    intent = replace(INTENT, kind=Kind.INSTALMENT, amount_minor=1000, instalment=InstalmentPlan(periods=3))
    terms = InstalmentTerms(first_minor=334, currency="156", fee_minor=18)
    text = render(taken(intent, replace(APPROVED, instalment=terms)).slips[ID].facts, Copy.MERCHANT)
    for part in ("分期期数(PERIODS): 3", "首期金额(FIRST): RMB 3.34", "手续费(FEE): RMB 0.18"):
        assert part in text


def test_the_target_of_a_transfer_is_masked() -> None:
    target = MaskedCard(first6="628202", last4="0042", length=16, digest="1" * 32)
    slip = taken(replace(INTENT, kind=Kind.TRANSFER, target=target), APPROVED).slips[ID]
    assert "628202******0042" in render(slip.facts, Copy.MERCHANT)


def test_a_voided_slip_says_so() -> None:
    facts = taken(INTENT, APPROVED).slips[ID].facts
    assert "本交易已被撤销(VOIDED)" in render(facts, Copy.MERCHANT, marks=Marks(voided=True))
    assert "VOIDED" not in render(facts, Copy.MERCHANT, marks=Marks(reversed=True))


def test_an_intent_known_from_before_ends_with_its_outcome() -> None:
    facts = taken(INTENT).began[ID]
    file = File(NAMES, {ID: facts}, ())
    file.take(9, 0, APPROVED)
    assert file.ended == {ID}
    assert file.began == {}
    assert file.slips[ID].facts.authorization_code == "654321"


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ((APPROVED,), "no open intent"),
        ((INTENT, INTENT), "begun twice"),
        ((INTENT, APPROVED, APPROVED), "no open intent"),
        ((REVERSING,), "neither an open intent nor a slip"),
    ],
)
def test_what_cannot_be_filed(records: tuple[Record, ...], reason: str) -> None:
    with pytest.raises(FilingError, match=reason):
        taken(*records)


def test_needed_names_what_the_records_do_not_begin_themselves() -> None:
    other = replace(APPROVED, id="other")
    assert needed([other, INTENT, APPROVED, LateAnswer(at_ms=1, id="late", response_code="00")]) == {"other"}


@pytest.mark.parametrize(
    ("entry_mode", "mark"),
    [("012", " /M"), ("021", " /S"), ("051", " /I"), ("071", " /C"), ("", ""), ("991", "")],
)
def test_how_the_card_was_read(entry_mode: str, mark: str) -> None:
    facts = replace(taken(INTENT, APPROVED).slips[ID].facts, entry_mode=entry_mode)
    assert f"629101******0018{mark}\n" in render(facts, Copy.MERCHANT)


def test_marks_of_a_reprint_and_of_a_reversal() -> None:
    facts = taken(INTENT, APPROVED).slips[ID].facts
    lines = render(facts, Copy.CARDHOLDER, reprint=True, marks=Marks(reversed=True)).splitlines()
    assert lines[1].strip() == "--- 重打印 ---"
    assert "本交易已冲正(REVERSED)" in lines


@given(text=st.text(alphabet="ab /云馆，。）", max_size=60), width=st.integers(4, 40))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(text: str, width: int) -> None:
    lines = paper.wrap(text, width)
    assert all(paper.columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_table_row_fits_the_largest_amount_and_a_long_name() -> None:
    assert paper.table_row("贷记(CREDIT)", "999999", "99999999999.99") == ["贷记(CREDIT)99999999999999999.99"]
    rows = paper.table_row("预授权完成撤销", "1", "9999999999.99")
    assert rows == ["预授权完成撤销", " " * 17 + "1 9999999999.99"]


def test_a_name_longer_than_the_paper_goes_onto_more_lines() -> None:
    facts = replace(
        taken(INTENT, APPROVED).slips[ID].facts, merchant_name="长街杂货（中国）有限公司第一百货商店南海分店"
    )
    text = render(facts, Copy.MERCHANT)
    assert max(paper.columns(line) for line in text.splitlines()) <= paper.WIDTH
