"""Circuit breakers: when a bank is asked no more, who asks it again, and what is said meanwhile."""

from __future__ import annotations

import pytest

from auth.breaker import Breaker, BreakerOpen, Limits, breakers
from contracts import response_codes as rc
from contracts.authorization import AuthorizeReply
from contracts.codec import decoder
from contracts.states import State
from runtime.bus import NoAnswer
from runtime.memory_log import MemoryLog
from tests.support_auth import Banks, approve, office, request, sale, take_office

authorized = decoder(AuthorizeReply).decode


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("bank", Limits(silences=3, within_s=10, probe_s=2), clock)


def test_it_opens_at_silences_in_a_row(breaker: Breaker) -> None:
    for _ in range(2):
        breaker.silent()
    breaker.answered()
    for _ in range(2):
        breaker.silent()
    breaker.admit()
    breaker.silent()
    with pytest.raises(BreakerOpen, match="bank"):
        breaker.admit()
    assert breaker.open
    assert breaker.refused == 1


def test_silences_that_lie_too_far_apart_do_not_open_it(breaker: Breaker, clock: Clock) -> None:
    for _ in range(9):
        breaker.silent()
        clock.s += 5.1
        breaker.admit()
    assert not breaker.open


def test_one_request_is_let_through_every_few_seconds(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.silent()
    let_through = []
    for tenth in range(1, 60):
        clock.s = 100 + tenth / 10
        try:
            breaker.admit()
        except BreakerOpen:
            continue
        let_through.append(tenth)
        breaker.silent()
    assert let_through == [20, 40]
    breaker.answered()
    breaker.admit()
    assert not breaker.open
    breaker.silent()
    breaker.admit()


def test_where_there_are_no_limits_there_are_no_breakers() -> None:
    assert breakers(["a", "b"], None) == {}
    assert set(breakers(["a", "b"], Limits(1, 1, 1))) == {"a", "b"}


async def test_a_sale_is_declined_at_once_and_nothing_is_left_to_be_undone() -> None:
    def silent(subject: str) -> bytes:
        if subject.endswith("reverse"):
            return approve(subject)
        raise NoAnswer(subject)

    clock, banks = Clock(), Banks(silent)
    guard = {"bank": Breaker("bank", Limits(silences=2, within_s=10, probe_s=2), clock)}
    desk, term = office(banks, issuer_s=0.01, breakers=guard), await take_office(MemoryLog())
    await desk.open(term)
    codes = [authorized(await desk.on_authorize(request(sale(f"{n:06d}")))).response_code for n in (1, 2, 3)]
    assert codes == [rc.ISSUER_TIMEOUT, rc.ISSUER_TIMEOUT, rc.ISSUER_UNAVAILABLE]
    assert term.state.transactions["T1:000001:000003"].state is State.DECLINED, "it was never asked: nothing to reverse"
    banks.answer = approve
    assert authorized(await desk.on_authorize(request(sale("000004")))).response_code == rc.ISSUER_UNAVAILABLE
    clock.s += 2
    assert authorized(await desk.on_authorize(request(sale("000005")))).response_code == "00", "it is asked once more"
    assert authorized(await desk.on_authorize(request(sale("000006")))).response_code == "00"
    await desk.close()
