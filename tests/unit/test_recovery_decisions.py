"""What becomes of a transaction on which the sides differ: each rule by a case that it is for, in the order in which they win."""

from __future__ import annotations

import msgspec
import pytest

from contracts.journal import Intent, Tombstone
from contracts.kinds import Kind
from contracts.ledger import Posting, ScriptResults
from contracts.pan import MaskedCard
from contracts.states import State
from lianji.recovery.charges import Charge, Charges
from lianji.recovery.decisions import RULES, Action, Case, decide
from lianji.recovery.paths import Path
from lianji.recovery.witnesses import Seen

ID = "10000001:000001:000007"
AMOUNT = 1234
INTENT = Intent(
    id=ID,
    rrn="000000000042",
    kind=Kind.SALE,
    terminal="10000001",
    merchant="482290058130001",
    batch="000001",
    stan="000007",
    operator="01",
    amount_minor=AMOUNT,
    currency="156",
    institution="huaxing",
    entry_mode="021",
    card=MaskedCard(first6="621234", last4="1265", length=16, digest="0" * 32),
    fingerprint="1:ab",
    at_ms=1,
)


def path(state: State, **more: object) -> Path:
    return Path(state=state, began=INTENT, **more)  # type: ignore[arg-type]


def seen(code: str = "00", *, undone: bool = False, waits: bool = False, rrn: str = "000000000042") -> Seen:
    return Seen(
        id=ID,
        terminal="10000001",
        batch="000001",
        stan="000007",
        kind=Kind.SALE,
        amount_minor=AMOUNT,
        currency="156",
        card="621234******1265",
        entry_mode="021",
        at_ms=2,
        response_code=code,
        rrn=rrn,
        authorization_code="000001",
        undone=undone,
        waits=waits,
    )


POSTED = Posting(id=ID, account="1", amount_minor=AMOUNT, currency="156", authorization_code="000001", at_ms=1)
CHARGED = {"huaxing": Charge(net_minor=AMOUNT, posted=POSTED)}
TWICE = CHARGED | {"nanhai": Charge(net_minor=AMOUNT, posted=POSTED)}
OTHER = {
    "huaxing": Charge(net_minor=AMOUNT + 1, posted=msgspec.structs.replace(POSTED, amount_minor=AMOUNT + 1)),
}
BACK = {"huaxing": Charge(posted=POSTED, reversed=True)}
ACKNOWLEDGED = path(State.REVERSED, acknowledged=("huaxing",))

NOTICED = Path(state=State.INTENT, began=msgspec.structs.replace(INTENT, kind=Kind.OFFLINE_SALE))

CASES = [
    # journal lost it
    (None, seen(), CHARGED, Action.RECORD_AGAIN),
    (None, seen(), {}, Action.FOR_A_PERSON),
    (None, seen(), BACK, Action.FOR_A_PERSON),
    (None, seen(), OTHER, Action.FOR_A_PERSON),
    (None, seen(), TWICE, Action.FOR_A_PERSON),
    (None, None, CHARGED, Action.REVERSE),
    (None, seen(""), CHARGED, Action.REVERSE),
    (None, seen("51"), CHARGED, Action.REVERSE),
    (None, seen(undone=True), CHARGED, Action.RECORD_AGAIN),
    (None, seen(undone=True), BACK, Action.RECORD_AGAIN),
    (None, seen(waits=True), CHARGED, Action.REVERSE),
    (None, seen("51"), {}, Action.RECORD_AGAIN),
    (None, seen("51", rrn="000000000000"), {}, None),
    (None, seen("94"), {}, None),
    (None, seen(""), {}, None),
    (None, seen("", undone=True), BACK, None),
    (None, None, BACK, None),
    # the outcome is lost
    (path(State.INTENT), seen(), CHARGED, Action.OUTCOME),
    (path(State.INTENT), seen("51"), {}, Action.OUTCOME),
    (path(State.INTENT), seen(undone=True), BACK, Action.OUTCOME),
    (path(State.INTENT), seen(), {}, Action.FOR_A_PERSON),
    (path(State.INTENT), seen("68"), CHARGED, Action.REVERSE),
    (path(State.INTENT), seen(""), CHARGED, Action.REVERSE),
    (path(State.INTENT), None, {}, Action.REVERSE),
    # a notice is taken, but for one that was refused: its terminal has thrown that away
    (NOTICED, seen(), CHARGED, Action.OUTCOME),
    (NOTICED, seen(), {}, Action.APPROVE),
    (NOTICED, None, {}, Action.APPROVE),
    (NOTICED, None, CHARGED, Action.APPROVE),
    (NOTICED, seen("", waits=True), CHARGED, Action.APPROVE),
    (NOTICED, None, {"huaxing": Charge(refused=True)}, Action.REVERSE),
    (NOTICED, seen("57"), {}, Action.OUTCOME),
    (NOTICED, seen("57"), CHARGED, Action.REVERSE),
    # the reversal is lost
    (path(State.APPROVED), seen(undone=True), BACK, Action.REVERSE),
    (path(State.APPROVED), seen(undone=True), CHARGED, Action.REVERSE),
    (path(State.SETTLED), seen(undone=True), CHARGED, Action.REVERSE),
    (path(State.APPROVED), seen(), BACK, Action.FOR_A_PERSON),
    (path(State.APPROVED), None, BACK, Action.REVERSE),
    # the bank has lost something
    (path(State.APPROVED), seen(), {}, Action.POST_AGAIN),
    (path(State.SETTLED), None, {}, Action.POST_AGAIN),
    (ACKNOWLEDGED, None, CHARGED, Action.GIVE_BACK_AGAIN),
    (ACKNOWLEDGED, None, {}, Action.GIVE_BACK_AGAIN),
    (path(State.APPROVED, stood_in=True, owed=True), seen(), {}, None),
    (path(State.APPROVED, stood_in=True), seen(), {}, Action.POST_AGAIN),
    # they contradict one another
    (path(State.DECLINED), seen(), {}, Action.FOR_A_PERSON),
    (path(State.DECLINED), seen("51"), CHARGED, Action.FOR_A_PERSON),
    # they agree, or what is on its way makes them
    (path(State.APPROVED), seen(), CHARGED, None),
    (path(State.SETTLED), seen(), CHARGED, None),
    (path(State.DECLINED), seen("51"), {}, None),
    (path(State.REVERSING, waiting=("huaxing",)), seen("68"), CHARGED, None),
    (ACKNOWLEDGED, seen("68"), BACK, None),
]


@pytest.mark.parametrize(("known", "terminal", "charges", "action"), CASES)
def test_the_first_rule_that_fits_decides(
    known: Path | None, terminal: Seen | None, charges: dict[str, Charge], action: Action | None
) -> None:
    rule = decide(Case(id=ID, path=known, seen=terminal, charges=charges))
    assert (rule.action if rule else None) is action


def of_kind(kind: Kind, **more: object) -> Seen:
    return Seen(**{name: getattr(seen(), name) for name in Seen.__struct_fields__} | {"kind": kind} | more)  # type: ignore[arg-type]


def charged(**more: object) -> Charge:
    posted = msgspec.structs.replace(POSTED, **more)
    return Charge(net_minor=posted.amount_minor, posted=posted, held_minor=posted.held_minor)


HELD = {"huaxing": charged(amount_minor=0, held_minor=AMOUNT)}
GIVEN = {"huaxing": charged(amount_minor=-AMOUNT)}
RELEASED = {"huaxing": charged(amount_minor=0, releases="x", released_minor=AMOUNT)}
COMPLETED = {"huaxing": charged(releases="x", released_minor=AMOUNT)}
NOTHING = {"huaxing": charged(amount_minor=0)}
HALF = {"nanhai": charged(amount_minor=-AMOUNT, incoming=True)}
PART = {"huaxing": charged(amount_minor=34)}

ABROAD = {"huaxing": charged(amount_minor=-AMOUNT - 3, currency="344", asked_minor=AMOUNT)}
OTHER_ABROAD = {"huaxing": charged(amount_minor=-AMOUNT - 3, currency="344", asked_minor=AMOUNT + 1)}

LOST = [
    # What a terminal saw and a journal has lost is recorded again when its banks have booked what that kind asks for, and nothing else.
    (of_kind(Kind.VOID), GIVEN, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.VOID), CHARGED, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.REFUND), GIVEN, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.REFUND), {}, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.PRE_AUTH), HELD, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.PRE_AUTH), CHARGED, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.SALE), HELD, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.PRE_AUTH_VOID), RELEASED, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.PRE_AUTH_VOID), NOTHING, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.COMPLETION), COMPLETED, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.COMPLETION), CHARGED, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.COMPLETION_ADVICE), COMPLETED, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.INSTALMENT), CHARGED, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.BALANCE), NOTHING, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.TRANSFER), CHARGED, HALF, Action.RECORD_AGAIN),
    (of_kind(Kind.TRANSFER), CHARGED, {}, Action.FOR_A_PERSON),
    (of_kind(Kind.TRANSFER), {}, HALF, Action.FOR_A_PERSON),
    (of_kind(Kind.SALE, response_code="10", part_minor=34), PART, {}, Action.RECORD_AGAIN),
    (of_kind(Kind.SALE, response_code="10", part_minor=34), CHARGED, {}, Action.FOR_A_PERSON),
    # Nobody was told of it: undone, whatever it was, but for a notice that comes again.
    (None, HELD, {}, Action.REVERSE),
    (None, {}, HALF, Action.REVERSE),
    (None, RELEASED, {}, Action.REVERSE),
    (None, NOTHING, {}, None),
    (of_kind(Kind.OFFLINE_SALE, response_code="", waits=True), CHARGED, {}, None),
    (of_kind(Kind.SALE, response_code="", waits=True), CHARGED, {}, Action.REVERSE),
]


def test_a_part_that_was_given_back_abroad_is_known_by_what_was_asked_for() -> None:
    """What it came to hangs on the parts before it."""
    for charges, action in ((ABROAD, Action.RECORD_AGAIN), (OTHER_ABROAD, Action.FOR_A_PERSON)):
        rule = decide(Case(id=ID, seen=of_kind(Kind.REFUND), charges=charges, rates={"huaxing": 1_085_000}))
        assert rule is not None
        assert rule.action is action
    rule = decide(Case(id=ID, seen=of_kind(Kind.SALE), charges=ABROAD, rates={"huaxing": 1_085_000}))
    assert rule is not None
    assert rule.action is Action.FOR_A_PERSON


@pytest.mark.parametrize(("terminal", "charges", "given", "action"), LOST)
def test_what_the_journal_has_lost_goes_by_what_its_kind_does_to_money(
    terminal: Seen | None, charges: dict[str, Charge], given: dict[str, Charge], action: Action | None
) -> None:
    rule = decide(Case(id=ID, seen=terminal, charges=charges, given=given))
    assert (rule.action if rule else None) is action


def test_a_bank_lacks_the_half_of_a_transfer_that_it_has_lost() -> None:
    began = msgspec.structs.replace(INTENT, kind=Kind.TRANSFER, target_institution="nanhai")
    known = Path(state=State.APPROVED, began=began)
    assert Case(id=ID, path=known, charges=CHARGED).lacks_posting() == [("nanhai", True)]
    assert Case(id=ID, path=known, given=HALF).lacks_posting() == [("huaxing", False)]
    told = Path(state=State.REVERSED, began=began, acknowledged=("huaxing", "nanhai"))
    assert Case(id=ID, path=told, charges=BACK, given=HALF).lacks_reversal() == ["nanhai"]


def test_every_rule_decides_a_case() -> None:
    decided = {
        id(decide(Case(id=ID, path=known, seen=terminal, charges=charges))) for known, terminal, charges, _ in CASES
    }
    assert {id(rule) for rule in RULES} <= decided


def test_what_a_chip_told_its_bank_is_taken_once_and_of_what_the_bank_knows() -> None:
    bank = Charges("huaxing")
    told = ScriptResults(id=ID, account="1", counter=1, results="20", at_ms=2)
    assert not bank.take(told)
    assert bank.take(POSTED)
    assert [bank.take(told), bank.take(told)] == [True, False]


def test_a_tombstone_has_no_institution_of_its_own() -> None:
    tombstone = Tombstone(
        id=ID,
        rrn="000000000043",
        kind=Kind.SALE,
        terminal="10000001",
        merchant="482290058130001",
        batch="000001",
        stan="000007",
        amount_minor=AMOUNT,
        currency="156",
        reason="98",
        institutions=("huaxing", "nanhai"),
        at_ms=1,
    )
    known = Path(state=State.REVERSED, began=tombstone, acknowledged=("huaxing", "nanhai"))
    case = Case(id=ID, path=known, charges=BACK)
    assert case.lacks_reversal() == ["nanhai"]
