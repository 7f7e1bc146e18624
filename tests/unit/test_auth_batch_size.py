"""A batch that fills up: who is refused when, what stays possible, and what becomes of one from before there was a limit."""

from __future__ import annotations

import msgspec
import pytest

from auth.domain import authorize, reverse
from auth.machine import ShardMachine
from contracts.authorization import IssuerReply, Original, Totals
from contracts.batch import MOST, MOST_WITH, MOST_WITH_RETURNS, MOST_WITH_SALES
from contracts.journal import BatchClosed, Intent, Outcome, Reversing
from contracts.kinds import KINDS, Kind
from contracts.states import State
from tests.support_auth import REGISTER, reversal, sale
from tests.unit.test_auth_upload import Host


class Shop(Host):
    def __init__(self, *, holds: int = 0) -> None:
        super().__init__()
        self.number = 0
        for _ in range(holds):
            assert self.ask_for(Kind.OFFLINE_SALE) == "00"

    def ask_for(self, kind: Kind, *, of: int = 0, code: str = "00") -> str:
        """What the next transaction is answered; `code` empty: its bank has not said anything yet."""
        self.number += 1
        request = msgspec.structs.replace(
            sale(stan=f"{self.number:06d}"),
            kind=kind,
            original=Original(batch="000001", stan=f"{of:06d}", date="0101") if of else None,
        )
        decision = authorize.decide(REGISTER, self.shard, 0, request, at_ms=1, trace="")
        assert isinstance(decision, authorize.Forward | authorize.Decline)
        self.write(*decision.records)
        transaction = self.shard.transactions[decision.id]
        if isinstance(decision, authorize.Forward) and code:
            self.write(authorize.conclude(transaction, IssuerReply(response_code=code), at_ms=2, trace=""))
        return transaction.response_code

    def undo(self, number: int, kind: Kind = Kind.SALE) -> str:
        request = msgspec.structs.replace(reversal(f"{number:06d}"), kind=kind)
        decision = reverse.decide(REGISTER, self.shard, 0, request, at_ms=3, trace="")
        assert isinstance(decision, reverse.Reversal)
        self.write(*decision.records)
        return decision.reply.response_code


def test_the_last_places_are_for_what_is_given_back_and_for_goods_that_are_gone() -> None:
    assert MOST_WITH_SALES < MOST_WITH_RETURNS < MOST == 999
    assert {kind for kind, most in MOST_WITH.items() if most == MOST_WITH_SALES} == {
        Kind.SALE,
        Kind.INSTALMENT,
        Kind.COMPLETION,
    }
    assert {kind for kind, most in MOST_WITH.items() if most == MOST_WITH_RETURNS} == {
        kind for kind, facts in KINDS.items() if facts.credit
    }


def test_a_sale_too_many_is_declined_and_its_bank_never_asked() -> None:
    shop = Shop(holds=MOST_WITH_SALES - 2)
    sold = shop.number + 1
    assert (shop.ask_for(Kind.SALE), shop.ask_for(Kind.SALE, code="")) == ("00", ""), "the last two places"
    assert shop.ask_for(Kind.SALE) == "65", "what has no answer yet holds its place"
    assert isinstance(shop.journal[-2], Intent)
    assert isinstance(shop.journal[-1], Outcome), "a copy that comes later finds the no, whatever has changed"
    assert shop.ask_for(Kind.VOID, of=sold) == "00", "what has been sold can still be voided"
    assert shop.ask_for(Kind.PRE_AUTH) == "00", "a hold is not settled"


def test_voids_and_refunds_end_before_the_last_places_and_notices_of_goods_at_the_last() -> None:
    shop = Shop(holds=MOST_WITH_RETURNS)
    assert shop.ask_for(Kind.REFUND, of=1) == "65"
    for _ in range(MOST - MOST_WITH_RETURNS):
        assert shop.ask_for(Kind.OFFLINE_SALE) == "00"
    assert shop.ask_for(Kind.OFFLINE_SALE) == "65"
    assert shop.close(Totals(debit_minor=MOST * 10_00, debit_count=MOST)) == "1", "field 48 can say it"
    assert shop.shard.terminal("T1").settling == 0


@pytest.mark.parametrize("ends", ["declined", "reversed", "never answered"])
def test_what_comes_to_nothing_gives_its_place_back(ends: str) -> None:
    shop = Shop(holds=MOST_WITH_SALES - 1)
    assert shop.ask_for(Kind.SALE, code={"declined": "51", "reversed": "00"}.get(ends, "")) != "65"
    if ends != "declined":
        assert shop.undo(shop.number) == "00"
    assert shop.ask_for(Kind.SALE) == "00"
    assert shop.ask_for(Kind.SALE) == "65"


def test_a_reversal_after_the_close_takes_no_place_from_the_batch_that_is_open() -> None:
    shop = Shop()
    assert shop.ask_for(Kind.SALE) == "00"
    assert shop.close(Totals(debit_minor=10_00, debit_count=1)) == "1"
    assert shop.undo(1) == "00"
    assert shop.shard.terminal("T1").settling == 0


def test_a_snapshot_holds_what_a_replay_counts() -> None:
    shop, machine = Shop(holds=3), ShardMachine()
    again = machine.new_state()
    for record in shop.journal:
        machine.apply(again, record)
    assert again.terminal("T1").settling == machine.load(machine.dump(shop.shard)).terminal("T1").settling == 3


def test_a_batch_from_before_the_limit_is_closed_by_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    for kind in MOST_WITH:
        monkeypatch.setitem(MOST_WITH, kind, 10**6)
    for _ in range(MOST + 2):
        assert shop.ask_for(Kind.SALE) == "00"
    monkeypatch.undo()
    assert shop.ask_for(Kind.SALE) == "65"
    shop.unbalanced()
    for number in range(1, MOST, 9):
        shop.tell(*((f"{stan:06d}", 10_00) for stan in range(number, number + 9)))
    assert shop.end(MOST).response_code == "00"
    assert sum(isinstance(record, Reversing) for record in shop.journal) == 2
    (close,) = (record for record in shop.journal if isinstance(record, BatchClosed))
    assert close.totals == Totals(debit_minor=MOST * 10_00, debit_count=MOST)
    assert sum(t.state is State.SETTLED for t in shop.shard.transactions.values()) == MOST
