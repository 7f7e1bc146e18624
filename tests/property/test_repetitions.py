"""Rotations of the data key at any point, gateways with different views of it: a repetition is a repetition, and another transaction is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auth.domain import authorize
from auth.domain.state import Shard, apply
from contracts import response_codes as rc
from contracts.authorization import AuthorizeRequest, CardData, IssuerReply
from contracts.identity import transaction_id
from contracts.kinds import Kind
from contracts.pan import Pan, luhn_check_digit
from terminal_gw.card_store import CardStore
from tests.support_auth import REGISTER
from tests.support_data_key import MODULE, accepting, first_ring

PANS = [Pan(p + luhn_check_digit(p)) for p in ("629101000000001", "629101000000002")]
GATEWAYS = 3

RINGS = [first_ring()]
"""One history for all examples, each key made once: version 1; 2 accepted; 2 current; 3 accepted; …"""
for _ in range(4):
    RINGS.append(accepting(RINGS[-1]))
    RINGS.append(RINGS[-1].promote(RINGS[-1].versions[-1].number, at_ms=0))
STORES = [CardStore(MODULE, ring) for ring in RINGS]

sale = st.tuples(
    st.just("sale"),
    st.integers(0, GATEWAYS - 1),
    st.integers(1, 4),
    st.integers(1, 2),
    st.sampled_from(PANS),
    st.booleans(),
)
steps = st.lists(
    st.one_of(sale, sale, st.tuples(st.just("rotate")), st.tuples(st.just("read"), st.integers(0, GATEWAYS - 1))),
    max_size=50,
)


class Stack:
    """Gateways, each with the ring as it last read it; the custodian; the switch."""

    def __init__(self) -> None:
        self.ring = 0
        self.views = [0] * GATEWAYS
        self.shard = Shard()
        self.first: dict[str, tuple[int, Pan]] = {}

    def on_rotate(self) -> None:
        """The next step of the rotation. A version becomes current only when every gateway has it (they say which they hold)."""
        if self.ring + 1 == len(RINGS):
            return
        promoted = RINGS[self.ring + 1].current
        if all(RINGS[view].numbered(promoted.number) for view in self.views):
            self.ring += 1

    def on_read(self, gateway: int) -> None:
        self.views[gateway] = self.ring

    def on_sale(self, gateway: int, stan: int, amount: int, pan: Pan, answered: bool) -> None:
        cards, id_ = STORES[self.views[gateway]], transaction_id("T1", "000001", f"{stan:06d}")
        marks = cards.fingerprints(amount, pan, "000000")
        request = AuthorizeRequest(
            kind=Kind.SALE,
            terminal="T1",
            merchant="M1",
            batch="000001",
            stan=f"{stan:06d}",
            amount_minor=amount,
            currency="156",
            entry_mode="021",
            card=CardData(pan=pan),
            masked=cards.stored(pan, id_),
            fingerprint=marks.current,
            other_fingerprints=marks.others,
        )
        decision = authorize.decide(REGISTER, self.shard, 0, request, at_ms=1, trace="")
        if id_ not in self.first:
            self.first[id_] = amount, pan
            assert isinstance(decision, authorize.Forward)
            self.write(decision.records)
        elif self.first[id_] == (amount, pan):
            assert isinstance(decision, authorize.Repeat | authorize.InFlight)
        else:
            assert isinstance(decision, authorize.Refuse)
            assert decision.reply.response_code == rc.DUPLICATE
        if answered and id_ in self.shard.intents:
            said = IssuerReply(response_code="00")
            self.write([authorize.conclude(self.shard.transactions[id_], said, at_ms=1, trace="")])

    def write(self, records: Sequence[Any]) -> None:
        for record in records:
            apply(self.shard, record)


@settings(max_examples=300)
@given(steps)
def test_a_repetition_is_known_across_rotations(taken: list[tuple[Any, ...]]) -> None:
    stack = Stack()
    for name, *arguments in taken:
        getattr(stack, f"on_{name}")(*arguments)


def test_the_rotations_of_these_tests_are_whole_and_overlap() -> None:
    """The newest ring has five versions; and gateways with views one step apart do write under different ones."""
    assert len(RINGS[-1].usable()) == 5
    stack = Stack()
    for step in (("rotate",), ("read", 0), ("read", 1), ("read", 2), ("rotate",), ("read", 0)):
        name, *arguments = step
        getattr(stack, f"on_{name}")(*arguments)
    assert [RINGS[view].current.number for view in stack.views] == [2, 1, 1]
