"""Which sales the gateway lets in: as many as are answered in time, measured, and nothing but sales is refused."""

from __future__ import annotations

import asyncio
import time
from unittest.mock import patch

import pytest

import iso8583
from contracts.authorization import AuthorizeReply
from runtime import catalogue
from runtime.bus import NoRoom
from runtime.metrics import Metrics
from terminal_gw.admission import FEWEST, INTERVAL_S, TARGET_S, Admission
from terminal_gw.requests import Ingress
from tests.unit.test_gateway_pipeline import AT_MS, FakeSwitch, Gateway, Terminal


class Hand:
    """A clock that the test moves, and sales that take as long as it says."""

    def __init__(self, most: int = 1000) -> None:
        self.now_s = 0.0
        self.metrics = Metrics()
        self.admission = Admission(self.metrics, most=most, clock=lambda: self.now_s)

    def sell(self, count: int, *took_s: float, bank_s: float = 0.0) -> None:
        """So many at once, the first of them in the times given, the rest in the last of these; `bank_s` of it at their bank."""
        started = self.now_s
        for _ in range(count):
            self.admission.begin()
        for took in sorted([*took_s, *[took_s[-1]] * (count - len(took_s))]):
            self.now_s = started + took
            self.admission.end(started, bank_s)

    def stand_in_a_queue(self, *, in_hand: int, per_s: int, for_s: float, bank_s: float = 0.0) -> None:
        """For so long, as many as are done in a second come anew: each has `in_hand` before it, and spends `bank_s` of its time at its bank."""
        came = [self.now_s + (n - in_hand) / per_s for n in range(in_hand)]
        for _ in came:
            self.admission.begin()
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            self.now_s += 1 / per_s
            self.admission.end(came.pop(0), bank_s)
            came.append(self.now_s)
            self.admission.begin()
        for came_s in came:
            self.now_s += 1 / per_s
            self.admission.end(came_s, bank_s)

    def shed(self) -> dict[str, float]:
        return {values[0]: count for values, count in self.metrics.counter(catalogue.SHED).read() if count}


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_queue_that_stands_is_made_as_short_as_what_is_done_in_time(hand: Hand) -> None:
    hand.stand_in_a_queue(in_hand=800, per_s=400, for_s=2.0)
    room = hand.admission.limit
    assert room == pytest.approx(400 * TARGET_S, rel=0.01), "of 400 a second these wait for the target"
    for _ in range(room):
        assert not hand.admission.refuse()
        hand.admission.begin()
    assert hand.admission.refuse() == f"{room} sales are in hand, and there is room for {room}"
    assert hand.shed() == {"wait": 1}


def test_what_banks_take_has_room_beside_the_target(hand: Hand) -> None:
    hand.stand_in_a_queue(in_hand=800, per_s=400, for_s=2.0, bank_s=1.0)
    assert hand.admission.limit == pytest.approx(400 * (TARGET_S + 1.0), rel=0.01)


def test_slow_banks_are_no_queue(hand: Hand) -> None:
    hand.stand_in_a_queue(in_hand=800, per_s=400, for_s=5.0, bank_s=1.9)
    assert hand.admission.limit == 1000


def test_one_that_waits_little_does_not_hide_a_queue(hand: Hand) -> None:
    hand.admission.begin()  # another one, that goes on
    for _ in range(3):
        hand.sell(400, TARGET_S / 10, 3 * TARGET_S)
    assert hand.admission.limit < 1000


def test_a_queue_that_is_empty_once_does_not_stand(hand: Hand) -> None:
    for _ in range(10):
        hand.sell(1, 4 * TARGET_S)
    hand.stand_in_a_queue(in_hand=800, per_s=1000, for_s=0.1)
    assert hand.admission.limit == 1000


def test_some_that_wait_long_are_no_queue(hand: Hand) -> None:
    for _ in range(10):
        hand.sell(400, *[TARGET_S / 10] * 390, 20 * TARGET_S)
    assert hand.admission.limit == 1000


def test_a_burst_that_passes_is_let_in(hand: Hand) -> None:
    hand.sell(900, *[0.4 + n / 1800 for n in range(900)])
    for _ in range(20):
        hand.sell(10, 0.1)
    hand.sell(900, *[0.4 + n / 1800 for n in range(900)])
    assert hand.admission.limit == 1000


def test_a_stop_of_everything_is_no_queue_when_its_backlog_is_soon_done(hand: Hand) -> None:
    for _ in range(50):
        hand.sell(4, 0.01)
    hand.sell(400, *[2.0 + n / 1000 for n in range(400)])
    assert hand.admission.limit == 1000


def test_there_is_always_some_room(hand: Hand) -> None:
    hand.stand_in_a_queue(in_hand=100, per_s=20, for_s=5.0)
    assert hand.admission.limit == FEWEST


def test_the_limit_grows_back_to_the_most_and_no_further(hand: Hand) -> None:
    hand.stand_in_a_queue(in_hand=800, per_s=400, for_s=2.0)
    limits = [hand.admission.limit]
    while hand.admission.limit < 1000:
        hand.sell(10, *[TARGET_S / 10] * 9, 2 * INTERVAL_S)
        limits.append(hand.admission.limit)
        assert limits[-1] > limits[-2]
    hand.sell(10, *[TARGET_S / 10] * 9, 2 * INTERVAL_S)
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
        with hand.admission.enter(0.0):
            assert hand.admission.in_hand == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert hand.admission.in_hand == 0


@pytest.mark.parametrize("bank_s", [0, 9.9, 10])
async def test_a_sale_counts_from_its_coming_and_what_its_bank_took_is_told_apart(bank_s: float) -> None:
    switch, terminal = FakeSwitch(), Terminal()
    gateway = Gateway(switch)
    await terminal.sign_on(gateway)
    switch.answers["authorize"] = AuthorizeReply(
        response_code="00", rrn="000000000001", at_ms=AT_MS, issuer_ms=round(bank_s * 1000)
    )
    with patch.object(gateway.admission, "end") as end:
        came_s = time.monotonic() - 12
        answer = (
            await gateway.pipeline.receive(iso8583.encode(terminal.sale()), Ingress("tcp", "192.0.2.1:1", None, came_s))
        ).answer
    assert answer is not None
    assert iso8583.decode(answer).text(39) == "00"
    end.assert_called_once_with(came_s, bank_s)


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
