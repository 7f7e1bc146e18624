"""Which sales the gateway lets in: as many as are answered in time, measured, and nothing but sales is refused."""

from __future__ import annotations

import asyncio

import pytest

from contracts.authorization import AuthorizeReply
from runtime import catalogue
from runtime.bus import NoRoom
from runtime.metrics import Metrics
from terminal_gw.admission import FEWEST, INTERVAL_S, TARGET_S, Admission
from tests.unit.test_gateway_pipeline import AT_MS, FakeSwitch, Gateway, Terminal


class Hand:
    """A clock that the test moves, and sales that take as long as it says."""

    def __init__(self, most: int = 1000) -> None:
        self.now_s = 0.0
        self.metrics = Metrics()
        self.admission = Admission(self.metrics, most=most, clock=lambda: self.now_s)

    def sell(self, count: int, *took_s: float, bank_s: float = 0.0) -> None:
        """So many at once, the first of them in the times given, the rest in the last of these; `bank_s` of it at their bank."""
        begun = [self.admission.begin() for _ in range(count)]
        started = self.now_s
        times = [*took_s, *[took_s[-1]] * (count - len(took_s))]
        for begun_s, took in sorted(zip(begun, times, strict=True), key=lambda row: row[1]):
            self.now_s = started + took
            self.admission.end(begun_s, bank_s)

    def shed(self) -> dict[str, float]:
        return {values[0]: count for values, count in self.metrics.counter(catalogue.SHED).read() if count}


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_queue_in_which_even_the_quickest_waits_is_made_shorter(hand: Hand) -> None:
    hand.sell(400, 4 * TARGET_S)
    assert hand.admission.limit == 100, "a quarter of them would have waited for the target"
    for _ in range(100):
        assert not hand.admission.refuse()
        hand.admission.begin()
    assert hand.admission.refuse() == "100 sales are in hand, and there is room for 100"
    assert hand.shed() == {"wait": 1}


def test_slow_banks_are_no_queue(hand: Hand) -> None:
    for _ in range(10):
        hand.sell(400, 20 * TARGET_S, bank_s=19.5 * TARGET_S)
    assert hand.admission.limit == 1000


def test_while_some_are_answered_at_once_nothing_stands_in_their_way(hand: Hand) -> None:
    for _ in range(10):
        hand.sell(400, TARGET_S / 10, 20 * TARGET_S)
    assert hand.admission.limit == 1000


def test_there_is_always_some_room(hand: Hand) -> None:
    for _ in range(10):
        hand.sell(100, 20 * TARGET_S)
    assert hand.admission.limit == FEWEST


def test_the_limit_grows_back_to_the_most_and_no_further(hand: Hand) -> None:
    hand.sell(400, 4 * TARGET_S)
    limits = [hand.admission.limit]
    while hand.admission.limit < 1000:
        hand.now_s += INTERVAL_S
        hand.sell(10, TARGET_S / 10)
        limits.append(hand.admission.limit)
        assert limits[-1] > limits[-2]
    hand.now_s += INTERVAL_S
    hand.sell(10, TARGET_S / 10)
    assert hand.admission.limit == 1000


def test_never_more_than_the_most(hand: Hand) -> None:
    hand = Hand(most=2)
    for _ in range(2):
        assert not hand.admission.refuse()
        hand.admission.begin()
    assert hand.admission.refuse()
    assert hand.shed() == {"in_flight": 1}


def test_a_sale_that_fails_leaves_its_place(hand: Hand) -> None:
    def fail() -> None:
        with hand.admission.enter():
            assert hand.admission.in_hand == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert hand.admission.in_hand == 0


@pytest.mark.parametrize("bank_s", [0, 9.9, 10])
async def test_what_a_bank_took_is_not_counted_as_a_wait_of_ours(bank_s: float) -> None:
    switch, terminal = FakeSwitch(), Terminal()
    gateway, now_s = Gateway(switch), 0.0
    await terminal.sign_on(gateway)
    gateway.admission.__init__(most=1000, clock=lambda: now_s)  # type: ignore[misc]
    for _ in range(100):
        gateway.admission.begin()
    switch.hold, before = asyncio.Event(), len(switch.asked)
    switch.answers["authorize"] = AuthorizeReply(
        response_code="00", rrn="000000000001", at_ms=AT_MS, issuer_ms=round(bank_s * 1000)
    )
    selling = asyncio.create_task(gateway.answer(terminal.sale()))
    while len(switch.asked) == before:
        await asyncio.sleep(0)
    now_s = 10.0
    switch.hold.set()
    assert (await selling).text(39) == "00"
    assert (gateway.admission.limit == 1000) == (10 - bank_s <= TARGET_S)


async def test_a_sale_without_room_is_refused_before_anything_is_done_and_a_reversal_is_not() -> None:
    switch = FakeSwitch()
    gateway, terminal, another = Gateway(switch), Terminal(), Terminal("10000002")
    for one in (terminal, another):
        await one.sign_on(gateway)
    gateway.admission.limit = 1
    switch.hold = asyncio.Event()
    before = len(switch.asked)
    selling = asyncio.create_task(gateway.answer(terminal.sale()))
    while len(switch.asked) == before:
        await asyncio.sleep(0)
    refused = await gateway.answer(another.sale())
    assert refused.text(39) == "96"
    assert another.trusts(refused), "under its MAC: an answer that counts"
    assert len(switch.asked) == before + 1, "the switch has not heard of it"
    reversing = asyncio.create_task(gateway.answer(another.reversal()))
    while len(switch.asked) == before + 1:
        await asyncio.sleep(0)
    switch.hold.set()
    assert (await selling).text(39) == (await reversing).text(39) == "00"
    assert (await gateway.answer(another.sale())).text(39) == "00", "there is room again"


async def test_a_switch_without_room_is_not_asked_again() -> None:
    switch, terminal = FakeSwitch(), Terminal()
    gateway = Gateway(switch)
    await terminal.sign_on(gateway)
    switch.trouble, before = [NoRoom("auth.v1.0.authorize: full")], len(switch.asked)
    assert (await gateway.answer(terminal.sale())).text(39) == "96"
    assert len(switch.asked) == before + 1
