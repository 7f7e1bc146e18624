"""What becomes of a transaction on which the sides differ: each rule by a case that it is for, in the order in which they win."""

from __future__ import annotations

import pytest

from contracts.journal import Intent, Tombstone
from contracts.kinds import Kind
from contracts.ledger import Posting
from contracts.pan import MaskedCard
from contracts.states import State
from lianji.recovery.charges import Charge
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
OTHER = {"huaxing": Charge(net_minor=AMOUNT + 1, posted=POSTED)}
BACK = {"huaxing": Charge(posted=POSTED, reversed=True)}
ACKNOWLEDGED = path(State.REVERSED, acknowledged=("huaxing",))

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


def test_every_rule_decides_a_case() -> None:
    decided = {
        id(decide(Case(id=ID, path=known, seen=terminal, charges=charges))) for known, terminal, charges, _ in CASES
    }
    assert {id(rule) for rule in RULES} <= decided


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
