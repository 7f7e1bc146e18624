"""Stand-in processing: which sales the switch approves in the stead of a bank that it cannot reach, and how the bank is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from auth.breaker import NO_BREAKERS, Breaker, Limits
from auth.domain.advices import Advices
from auth.domain.authorize import Forward, conclude, decide
from auth.domain.register import StandInTerms
from auth.domain.stand_in import word
from auth.domain.state import Shard, apply
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.recall import Ledger
from contracts import response_codes as rc
from contracts.authorization import (
    AuthorizeReply,
    AuthorizeRequest,
    IssuerReply,
    Original,
    ReverseReply,
    SettleReply,
    Totals,
)
from contracts.codec import decoder
from contracts.journal import Advised, Outcome, Reversing
from contracts.kinds import Kind
from contracts.states import State
from runtime.bus import NoAnswer, NotDelivered
from runtime.log import decode_group
from runtime.memory_log import MemoryLog
from runtime.ownership import Term, replay
from runtime.snapshots import NoSnapshots
from runtime.tracing import Tracer
from tests.support_auth import REGISTER, GatedLog, TellableBank, closing, request, reversal, sale, take_office, until

TERMS = StandInTerms(floor_minor=20_00, card_minor=50_00, card_most=3)
STANDING_IN = REGISTER._replace(stand_in={"bank": TERMS})
AT_MS, TODAY = 1_767_225_600_000, "2601"
ID = "T1:000001:000001"
authorized = decoder(AuthorizeReply).decode
reversed_, settled = decoder(ReverseReply).decode, decoder(SettleReply).decode


def swiped(stan: str = "000001", amount_minor: int = 10_00, **more: Any) -> AuthorizeRequest:
    plain = sale(stan, amount_minor=amount_minor)
    return replace(plain, card=replace(plain.card, expiry="3512"), **more)


def stood_in(shard: Shard, message: AuthorizeRequest) -> Outcome | None:
    """The switch's word on a sale whose bank was not reached, applied."""
    decision = decide(STANDING_IN, shard, 0, message, at_ms=AT_MS, trace="")
    assert isinstance(decision, Forward)
    apply(shard, decision.records[0])
    transaction = shard.transactions[decision.id]
    outcome = word(TERMS, shard, transaction, message, at_ms=AT_MS, today=TODAY, trace="")
    apply(shard, outcome or conclude(transaction, IssuerReply(response_code="91"), at_ms=AT_MS, trace=""))
    return outcome


@pytest.mark.parametrize(
    ("message", "approved"),
    [
        (swiped(), True),
        (swiped(amount_minor=20_00), True),
        (swiped(amount_minor=20_01), False),
        (swiped(entry_mode="012"), False),
        (replace(sale(), card=replace(sale().card, expiry="2512")), False),
        (replace(sale(), card=replace(sale().card, expiry="2601")), True),
        (sale(), False),
        (swiped(kind=Kind.PRE_AUTH), False),
        (swiped(kind=Kind.OFFLINE_SALE), False),
    ],
    ids=["small", "floor", "above", "keyed", "expired", "this month", "no expiry", "pre-auth", "notice"],
)
def test_what_the_switch_stands_in_for(message: AuthorizeRequest, approved: bool) -> None:
    outcome = stood_in(Shard(), message)
    assert (outcome is not None) is approved
    if outcome is not None:
        assert (outcome.state, outcome.response_code, outcome.authorization_code) == (State.APPROVED, "00", "S00001")


def test_a_card_has_its_limits_until_the_bank_has_been_told() -> None:
    shard = Shard()
    assert stood_in(shard, swiped("000001", 20_00))
    assert stood_in(shard, swiped("000002", 20_00))
    assert not stood_in(shard, swiped("000003", 10_01)), "more than 50.00 in all"
    assert stood_in(shard, swiped("000004", 10_00))
    apply(shard, Advised(id=ID, institution="bank", response_code="00", at_ms=1))
    assert stood_in(shard, swiped("000005", 20_00))
    assert not stood_in(shard, swiped("000006", 1)), "more than three"
    apply(shard, Reversing(id="T1:000001:000002", reason="98", origin="terminal", at_ms=1))
    assert stood_in(shard, swiped("000007", 1))
    assert list(shard.advices.queues["bank"]) == [f"T1:000001:00000{n}" for n in (4, 5, 7)], "in order"
    other = replace(swiped("000008").masked, digest="e" * 32)
    assert stood_in(shard, swiped("000008", 20_00, masked=other)), "another card"


def test_a_card_gets_no_new_limits_when_the_data_key_is_rotated() -> None:
    """What was approved before stands under the digest of then, which the gateway says beside the new one."""
    shard = Shard()
    assert stood_in(shard, swiped("000001", 20_00))
    masked, former = replace(sale().masked, digest="e" * 32), (sale().masked.digest,)
    assert stood_in(shard, swiped("000002", 20_00, masked=masked, other_digests=former))
    assert not stood_in(shard, swiped("000003", 10_01, masked=masked, other_digests=former)), "more than 50.00 in all"
    assert not stood_in(shard, swiped("000004", 10_01, other_digests=(masked.digest,))), "by a gateway that is behind"
    assert stood_in(shard, swiped("000005", 5_00, masked=masked, other_digests=former))
    assert not stood_in(shard, swiped("000006", 1, masked=masked, other_digests=former)), "more than three"
    again = (masked.digest, *former)
    apply(shard, Advised(id=ID, institution="bank", response_code="00", at_ms=1))
    assert stood_in(shard, swiped("000007", 20_00, masked=masked, other_digests=again)), "and none counts twice"


def test_memory_keeps_no_card_of_which_the_bank_knows_all() -> None:
    shard = Shard()
    stood_in(shard, swiped())
    apply(shard, Advised(id=ID, institution="bank", response_code="00", at_ms=1))
    assert shard.advices == Advices()
    assert shard.transactions[ID].more.stand_in is None


async def opened(
    bus: TellableBank, store: MemoryLog, breakers: Mapping[str, Breaker] = NO_BREAKERS
) -> tuple[ShardOffice, Term[Shard]]:
    desk = ShardOffice(
        shard=0,
        register=STANDING_IN,
        bus=bus,  # type: ignore[arg-type]
        issuers=Issuers(bus, 0.01),  # type: ignore[arg-type]
        ledger=Ledger(bus, 0.01),  # type: ignore[arg-type]
        tracer=Tracer("test", "test"),
        now_ms=lambda: AT_MS,
        concurrency=8,
        breakers=breakers,
    )
    term = await take_office(store)
    await desk.open(term)
    return desk, term


async def test_an_advice_outlives_the_owner_that_owes_it() -> None:
    bus, store = TellableBank(NotDelivered("down")), MemoryLog()
    desk, term = await opened(bus, store)
    reply = authorized(await desk.on_authorize(request(swiped())))
    assert (reply.response_code, reply.authorization_code) == ("00", "S00001")
    assert authorized(await desk.on_authorize(request(swiped()))) == replace(reply, issuer_ms=0), "the same answer"
    void = swiped("000002", kind=Kind.VOID, original=Original(batch="000001", stan="000001", date="0101"))
    assert authorized(await desk.on_authorize(request(void))).response_code == rc.ISSUER_UNAVAILABLE
    await desk.close()
    desk, term = await opened(bus, store)
    assert list(term.state.advices.queues["bank"]) == [ID]
    bus.down = None
    await until(lambda: not term.state.advices.queues)
    (told,) = bus.told
    assert (told.institution, told.transaction, told.amount_minor) == ("bank", ID, 10_00)
    assert (told.authorization_code, told.card, told.rrn) == ("S00001", swiped().masked, reply.rrn)
    await term.flushed()
    replayed, *_ = await replay(store, ShardMachine(), NoSnapshots())
    assert replayed == term.state == ShardMachine().load(ShardMachine().dump(replayed))
    await desk.close()


@pytest.mark.parametrize(("amount_minor", "approved"), [(20_00, 2), (10_00, 3)], ids=["amount", "count"])
async def test_sales_of_one_group_do_not_each_get_the_whole_of_a_cards_limits(amount_minor: int, approved: int) -> None:
    bus, store, breaker = (
        TellableBank(NotDelivered("down")),
        MemoryLog(),
        Breaker("bank", Limits(1, 60, 60), lambda: 0.0),
    )
    breaker.silent()
    desk, term = await opened(bus, store, {"bank": breaker})
    sales = [swiped(f"{number:06d}", amount_minor) for number in range(1, 9)]
    replies = await asyncio.gather(*(desk.on_authorize(request(one)) for one in sales))
    assert breaker.refused == len(sales)
    assert len(decode_group(bytes(store.groups[1])).records) == len(sales), "their intents stand in one group"
    codes = Counter(authorized(reply).response_code for reply in replies)
    assert codes == {"00": approved, rc.ISSUER_UNAVAILABLE: len(sales) - approved}
    (exposure,) = term.state.advices.exposures.values()
    assert (exposure.count, exposure.amount_minor) == (approved, approved * amount_minor)
    await desk.close()


async def test_what_is_taken_back_before_its_intent_stands_is_not_approved_by_the_switch() -> None:
    bus, store, breaker = (
        TellableBank(NotDelivered("down")),
        GatedLog(),
        Breaker("bank", Limits(1, 60, 60), lambda: 0.0),
    )
    breaker.silent()
    desk, term = await opened(bus, store, {"bank": breaker})
    store.gate.clear()
    selling = asyncio.create_task(desk.on_authorize(request(swiped())))
    await until(lambda: breaker.refused > 0)
    undoing = asyncio.create_task(desk.on_reverse(request(reversal())))
    await until(lambda: term.state.transactions[ID].state is State.REVERSING)
    store.gate.set()
    assert authorized(await selling).response_code == rc.ISSUER_TIMEOUT
    assert reversed_(await undoing).response_code == "00"
    assert term.state.advices == Advices()
    await term.prove()
    await desk.close()


async def test_what_the_bank_may_have_seen_is_reversed_and_never_approved() -> None:
    bus = TellableBank(NotDelivered("down"))
    bus.down = NoAnswer("silent")
    desk, term = await opened(bus, MemoryLog())
    assert authorized(await desk.on_authorize(request(swiped()))).response_code == rc.ISSUER_TIMEOUT
    assert term.state.transactions[ID].state is State.REVERSING
    assert not term.state.advices.queues
    await desk.close()


async def test_a_reversal_takes_the_place_of_the_advice() -> None:
    bus = TellableBank(NotDelivered("down"))
    desk, term = await opened(bus, MemoryLog())
    await desk.on_authorize(request(swiped()))
    assert reversed_(await desk.on_reverse(request(reversal()))).response_code == "00"
    assert not term.state.advices.queues
    bus.down = None
    await until(lambda: term.state.transactions[ID].state is State.REVERSED)
    assert not bus.told
    await desk.close()


async def test_a_bank_that_refuses_for_good_is_not_asked_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    bus = TellableBank(NotDelivered("down"))
    desk, term = await opened(bus, MemoryLog())
    await desk.on_authorize(request(swiped()))
    bus.down, bus.code = None, rc.ISSUER_UNAVAILABLE
    await until(lambda: len(bus.told) > 0)
    assert list(term.state.advices.queues["bank"]) == [ID], "that one may take it later"
    bus.code = rc.INVALID_CARD_NUMBER
    await until(lambda: not term.state.advices.queues)
    assert "a bank refused an advice" in capsys.readouterr().out
    assert term.state.transactions[ID].state is State.APPROVED, "the terminal has its answer"
    await desk.close()


async def test_batches_close_over_it_and_it_is_not_forgotten() -> None:
    bus = TellableBank(NotDelivered("down"))
    desk, term = await opened(bus, MemoryLog())
    await desk.on_authorize(request(swiped()))
    for number, totals in enumerate([Totals(debit_minor=10_00, debit_count=1), Totals(), Totals()], 1):
        assert settled(await desk.on_settle(request(closing(f"{number:06d}", totals)))).result == "1"
    assert term.state.transactions[ID].state is State.SETTLED
    bus.down = None
    await until(lambda: not term.state.advices.queues)
    await desk.close()
