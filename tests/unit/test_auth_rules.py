"""The switch's own rules: what may be done where and with which card, floors, velocity, and the end of a business day."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from auth.domain import velocity
from auth.domain.authorize import Decline, Forward, Refuse, Repeat, conclude, decide
from auth.domain.cut_over import CutOver, Wait, due_day
from auth.domain.cut_over import decide as cut
from auth.domain.register import MerchantEntry, Register
from auth.domain.state import Shard, apply
from auth.domain.velocity import CARD, TERMINAL, Limit
from auth.machine import ShardMachine
from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply, AuthorizeRequest, CutOverReply, CutOverRequest, IssuerReply
from contracts.codec import decoder
from contracts.journal import DayCut, Outcome, Reversing
from contracts.kinds import Kind
from runtime.memory_log import MemoryLog
from runtime.ownership import replay
from runtime.snapshots import NoSnapshots
from tests.support_auth import REGISTER, Banks, approve, office, request, sale, take_office

authorized, cut_over_reply = decoder(AuthorizeReply).decode, decoder(CutOverReply).decode
ID = "T1:000001:000001"


def merchant(**more: Any) -> Register:
    return REGISTER._replace(merchants={"M1": MerchantEntry(True, 100_00)._replace(**more)})


def code_of(
    register: Register, message: AuthorizeRequest, shard: Shard | None = None, *, at_ms: int = 1, cutting: bool = False
) -> str:
    """What the switch says by itself; empty: the bank is asked."""
    decision = decide(register, shard or Shard(), 0, message, at_ms=at_ms, trace="", cutting=cutting)
    match decision:
        case Decline(_, (_, Outcome() as outcome)):
            return outcome.response_code
        case Refuse(reply) | Repeat(reply):
            return reply.response_code
        case _:
            return ""


# ------------------------------------------------------------------ permissions and floors


def test_a_bank_s_cards_may_not_do_everything_everywhere() -> None:
    here = merchant(refused=frozenset({("bank", Kind.SALE)}))
    assert code_of(here, sale()) == rc.NOT_PERMITTED_TO_CARDHOLDER
    assert code_of(here, replace(sale(), kind=Kind.PRE_AUTH)) == ""
    assert code_of(merchant(refused=frozenset({("other", Kind.SALE)})), sale()) == ""


@pytest.mark.parametrize(("floor_minor", "code"), [(None, ""), (10_00, ""), (9_99, "61"), (0, "61")])
def test_an_offline_sale_is_held_to_the_floor_limit(floor_minor: int | None, code: str) -> None:
    here = merchant(floor_minor=floor_minor)
    assert code_of(here, replace(sale(), kind=Kind.OFFLINE_SALE)) == code
    assert code_of(here, sale()) == "", "above it a terminal asks, and that is this"


# ------------------------------------------------------------------ velocity


def asked(shard: Shard, number: int, *, at_ms: int, amount_minor: int = 10_00, approve: bool = True) -> str:
    """One sale, decided and applied; its code, empty when it went to the bank."""
    decision = decide(REGISTER, shard, 0, sale(f"{number:06d}", amount_minor=amount_minor), at_ms=at_ms, trace="")
    assert isinstance(decision, Forward | Decline)
    for record in decision.records:
        apply(shard, record)
    if isinstance(decision, Decline):
        return shard.transactions[decision.id].response_code
    word = IssuerReply(response_code="00" if approve else "51")
    apply(shard, conclude(shard.transactions[decision.id], word, at_ms=at_ms, trace=""))
    return ""


def limited(*limits: Limit) -> Shard:
    return ShardMachine(limits).new_state()


@pytest.mark.parametrize("scope", [CARD, TERMINAL])
def test_too_many_and_too_much(scope: str) -> None:
    shard = limited(Limit(scope, 60_000, 3, 50_00))
    assert [asked(shard, n, at_ms=n) for n in (1, 2, 3, 4)] == ["", "", "", rc.OVER_COUNT_LIMIT]
    shard = limited(Limit(scope, 60_000, 3, 50_00))
    assert [asked(shard, n, at_ms=n, amount_minor=20_00) for n in (1, 2, 3)] == ["", "", rc.OVER_AMOUNT_LIMIT]
    assert asked(shard, 4, at_ms=4, amount_minor=10_00) == "", "what was refused does not count"
    assert asked(shard, 5, at_ms=70_000, amount_minor=50_00) == "", "a window later"


def test_what_comes_to_nothing_is_given_back() -> None:
    shard = limited(Limit(CARD, 60_000, 1))
    assert asked(shard, 1, at_ms=1, approve=False) == ""
    assert asked(shard, 2, at_ms=2) == "", "the first was declined by the bank"
    assert asked(shard, 3, at_ms=3) == rc.OVER_COUNT_LIMIT
    apply(shard, Reversing(id="T1:000001:000002", reason="98", origin="terminal", at_ms=4))
    assert asked(shard, 4, at_ms=5) == "", "the second was reversed"


def test_what_is_in_flight_counts() -> None:
    shard = limited(Limit(TERMINAL, 60_000, 1))
    decision = decide(REGISTER, shard, 0, sale(), at_ms=1, trace="")
    assert isinstance(decision, Forward)
    apply(shard, decision.records[0])
    assert asked(shard, 2, at_ms=1) == rc.OVER_COUNT_LIMIT


def test_notices_and_refunds_do_not_count() -> None:
    counting = velocity.begun([Limit(CARD, 60_000, 1)])
    assert counting is not None
    velocity.count(counting, terminal="T1", card="c", amount_minor=1, at_ms=1)
    for kind in Kind:
        code = velocity.refusal(counting, kind, terminal="T1", card="c", amount_minor=1, at_ms=2)
        assert bool(code) is (kind in {Kind.SALE, Kind.PRE_AUTH, Kind.INSTALMENT, Kind.TRANSFER})


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(velocity, "KEYS_KEPT", 10)
    counting = velocity.begun([Limit(CARD, 1_000, 1)])
    assert counting is not None
    for number in range(100):
        velocity.count(counting, terminal="T1", card=f"{number}", amount_minor=1, at_ms=1)
    assert list(counting.windows[0].steps) == [f"{number}" for number in range(90, 100)]
    velocity.count(counting, terminal="T1", card="new", amount_minor=1, at_ms=10_000)
    assert list(counting.windows[0].steps) == ["new"], "of the others nothing counts any more"


def test_nobody_counts_where_nothing_is_limited() -> None:
    shard = limited()
    assert asked(shard, 1, at_ms=1) == ""
    assert shard.velocity is None
    assert shard.transactions[ID].particulars is None


async def test_a_successor_counts_on_from_the_journal_and_from_a_snapshot() -> None:
    limits, store = (Limit(CARD, 3_600_000, 1),), MemoryLog()
    machine = ShardMachine(limits)
    desk, term = office(Banks()), await take_office(store, machine)
    await desk.open(term)
    assert authorized(await desk.on_authorize(request(sale()))).response_code == "00"
    assert authorized(await desk.on_authorize(request(sale("000002")))).response_code == rc.OVER_COUNT_LIMIT
    await desk.close()
    replayed, *_ = await replay(store, machine, NoSnapshots())
    assert replayed == term.state == machine.load(machine.dump(replayed))
    with pytest.raises(
        msgspec.DecodeError
    ):  # limits that are new count from the first record: no snapshot stands for them
        ShardMachine((Limit(CARD, 1_000, 1),)).load(machine.dump(replayed))


# ------------------------------------------------------------------ the end of a business day


def test_a_day_is_ended_once_and_in_order() -> None:
    shard = Shard()
    decision = cut(shard, CutOverRequest(day="2026-01-01"), at_ms=5, trace="")
    assert isinstance(decision, CutOver)
    assert decision.records == (DayCut(day="2026-01-01", at_ms=5),)
    apply(shard, decision.records[0])
    again = cut(shard, CutOverRequest(day="2026-01-01"), at_ms=9, trace="")
    assert again == CutOver(CutOverReply(day="2026-01-01", at_ms=5))
    for day in ("2025-12-31", "2026-13-01", "2026-1-02", "", "tomorrow"):
        refused = cut(shard, CutOverRequest(day=day), at_ms=9, trace="")
        assert isinstance(refused, CutOver)
        assert "day: " in refused.reply.refused
        assert not refused.records


def test_what_is_open_is_waited_for() -> None:
    shard = Shard()
    decision = decide(REGISTER, shard, 0, sale(), at_ms=1, trace="")
    assert isinstance(decision, Forward)
    apply(shard, decision.records[0])
    assert cut(shard, CutOverRequest(day="2026-01-01"), at_ms=5, trace="") == Wait((ID,))


def test_in_the_window_only_what_is_known_is_answered() -> None:
    shard = Shard()
    assert asked(shard, 1, at_ms=1) == ""
    assert code_of(REGISTER, sale(), shard, cutting=True) == "00", "a repetition"
    assert code_of(REGISTER, sale("000002"), shard, cutting=True) == rc.CUT_OVER
    assert code_of(REGISTER, sale("000002", batch="000009"), shard, cutting=True) == rc.BATCH_DIFFERS


@pytest.mark.parametrize(
    ("at", "day"), [("00:00", "2026-01-01"), ("08:00", "2026-01-01"), ("08:01", "2025-12-31"), ("23:00", "2025-12-31")]
)
def test_when_a_day_is_due(at: str, day: str) -> None:
    assert due_day(at, 1_767_225_600_000) == day  # 2026-01-01 08:00 in Shanghai


async def test_no_transaction_is_begun_on_one_day_and_decided_on_the_next() -> None:
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    banks, store = Banks(lambda subject: answer), MemoryLog()
    desk, term = office(banks), await take_office(store)
    await desk.open(term)
    first = asyncio.create_task(desk.on_authorize(request(sale())))
    while not banks.asked:
        await asyncio.sleep(0)
    cutting = asyncio.create_task(desk.on_cut_over(request(CutOverRequest(day="2026-01-01"))))
    await asyncio.sleep(0)
    assert authorized(await desk.on_authorize(request(sale("000002")))).response_code == rc.CUT_OVER
    assert not cutting.done()
    answer.set_result(approve("authorize"))
    assert cut_over_reply(await cutting).day == "2026-01-01"
    assert authorized(await first).response_code == "00"
    banks.answer = approve
    assert authorized(await desk.on_authorize(request(sale("000002")))).response_code == "00", (
        "the same, a moment later"
    )
    assert term.state.day == "2026-01-01"
    await desk.close()


async def test_a_window_is_over_with_its_order_whatever_became_of_it() -> None:
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    banks = Banks(lambda subject: answer)
    desk, term = office(banks), await take_office(MemoryLog())
    await desk.open(term)
    first = asyncio.create_task(desk.on_authorize(request(sale())))
    while not banks.asked:
        await asyncio.sleep(0)
    cutting = asyncio.create_task(desk.on_cut_over(request(CutOverRequest(day="2026-01-01"))))
    await asyncio.sleep(0)
    cutting.cancel()
    await asyncio.wait([cutting])
    banks.answer = approve
    assert authorized(await desk.on_authorize(request(sale("000002")))).response_code == "00"
    answer.set_result(approve("authorize"))
    assert authorized(await first).response_code == "00"
    assert term.state.day == "", "nobody waits for it any more"
    await desk.close()


async def test_a_day_whose_time_came_while_nobody_was_in_office_is_ended_by_the_next_owner() -> None:
    desk, term = office(Banks(), cut_over_at="08:00", now_ms=lambda: 1_767_225_600_000), await take_office(MemoryLog())
    await desk.open(term)
    async with asyncio.timeout(5):
        while term.state.day != "2026-01-01":
            await asyncio.sleep(0)
    await desk.close()
