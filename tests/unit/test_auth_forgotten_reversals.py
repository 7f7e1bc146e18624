"""Reversals of what the switch has forgotten and the settlement ledger knows: refused like those of what is known."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from auth.domain import authorize, reverse
from auth.domain.claims import Recollection
from auth.domain.state import apply
from contracts.authorization import ReverseRequest
from contracts.identity import identity_of
from contracts.journal import Tombstone
from contracts.kinds import KINDS, Kind
from contracts.states import State
from tests import support_auth
from tests.unit.test_auth_kinds import REGISTER, Desk, forgotten, found

REVERSIBLE = [kind for kind in Kind if KINDS[kind].reversible]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def reversal(id_: str, kind: Kind = Kind.SALE, amount_minor: int = 10_00) -> ReverseRequest:
    terminal, batch, stan = identity_of(id_)
    return replace(support_auth.reversal(stan, batch, amount_minor), kind=kind, terminal=terminal)


def told(desk: Desk, request: ReverseRequest, id_: str, **more: Any) -> reverse.Reversal:
    """What is said once the ledger has said what the transaction is."""
    asked = reverse.decide(REGISTER, desk.shard, 0, request, at_ms=3, trace="")
    assert isinstance(asked, authorize.Recall)
    said = Recollection((id_,), found(id_, **more))
    decision = reverse.decide(REGISTER, desk.shard, 0, request, at_ms=3, trace="", recollection=said)
    assert isinstance(decision, reverse.Reversal)
    return decision


@pytest.mark.parametrize("asked", REVERSIBLE)
@pytest.mark.parametrize("kind", Kind)
def test_only_what_it_says_it_was_is_reversed(desk: Desk, kind: Kind, asked: Kind) -> None:
    """The banks undo by the id: money would leave the card again, of a refund that was settled and is never reversed."""
    id_, _ = forgotten(desk)
    state = State.SETTLED if KINDS[kind].settles else State.APPROVED
    decision = told(desk, reversal(id_, asked), id_, kind=kind, state=state, original="T1:000001:000009")
    same = kind is asked
    assert decision.reply.response_code == ("00" if same else "12")
    assert [r.original for r in decision.records if isinstance(r, Tombstone)] == ["T1:000001:000009"] * same


@pytest.mark.parametrize("asked_minor", [10_00, 12_00])
@pytest.mark.parametrize("kind", REVERSIBLE)
def test_the_amount_is_what_was_asked_for(desk: Desk, kind: Kind, asked_minor: int) -> None:
    """Of which a part may have been approved: the reversal repeats what was asked for, and not the part."""
    id_, _ = forgotten(desk)
    codes = {
        amount_minor: told(
            desk, reversal(id_, kind, amount_minor), id_, kind=kind, asked_minor=asked_minor
        ).reply.response_code
        for amount_minor in (1, 9_99, 10_00, 10_01, 11_99, 12_00, 12_01)
    }
    assert [amount_minor for amount_minor, code in codes.items() if code == "00"] == [asked_minor]
    assert set(codes.values()) == {"00", "64"}


@pytest.mark.parametrize("kind", REVERSIBLE)
def test_a_ledger_that_does_not_say_what_was_asked_for_yet_leaves_a_sale_s_open(desk: Desk, kind: Kind) -> None:
    """The part stands in it, and the terminal that repeats what it asked for must be heard."""
    id_, _ = forgotten(desk)
    codes = [
        told(desk, reversal(id_, kind, amount_minor), id_, kind=kind).reply.response_code
        for amount_minor in (1, 9_99, 10_00, 10_01)
    ]
    assert codes == ["64", "64", "00", "00" if kind is Kind.SALE else "64"]


@pytest.mark.parametrize(("kind", "amount_minor"), [(Kind.SALE, 9_99), (Kind.VOID, 10_00), (Kind.VOID, 9_99)])
@pytest.mark.parametrize("closes", [0, 1, 2])
def test_the_answer_is_the_same_whether_it_is_remembered_or_not(
    desk: Desk, closes: int, kind: Kind, amount_minor: int
) -> None:
    id_ = desk.do(Kind.SALE)
    for _ in range(closes):
        desk.close()
    request = reversal(id_, kind, amount_minor)
    if id_ in desk.shard.transactions:
        known = reverse.decide(REGISTER, desk.shard, 0, request, at_ms=3, trace="")
        assert isinstance(known, reverse.Reversal)
        decision = known
    else:
        decision = told(desk, request, id_)
    assert (decision.reply.response_code, decision.records) == ("12" if amount_minor == 10_00 else "64", ())


@pytest.mark.parametrize(
    ("asked_minor", "amount_minor", "code"),
    [
        *((0, 9_99, "64"), (0, 10_00, "00"), (0, 12_00, "00")),
        *((10_00, 9_99, "64"), (10_00, 10_00, "00"), (10_00, 10_01, "64")),
        *((12_00, 10_00, "64"), (12_00, 11_99, "64"), (12_00, 12_00, "00"), (12_00, 12_01, "64")),
    ],
)
def test_a_recalled_sale_is_reversed_by_what_was_asked_for(
    desk: Desk, asked_minor: int, amount_minor: int, code: str
) -> None:
    """A refund that came to nothing has brought it back to memory; what was asked for with it, unless the ledger did not say that yet (0)."""
    id_, named = forgotten(desk)
    said = Recollection((id_,), found(id_, asked_minor=asked_minor))
    refund = desk.decide(desk.request(Kind.REFUND, original=named), said)
    desk.answer(refund.id, "05")
    decision = reverse.decide(REGISTER, desk.shard, 0, reversal(id_, amount_minor=amount_minor), at_ms=3, trace="")
    assert isinstance(decision, reverse.Reversal)
    assert decision.reply.response_code == code
    for record in decision.records:
        apply(desk.shard, record)
    assert desk.shard.transactions[id_].state is (State.REVERSING if code == "00" else State.SETTLED)
