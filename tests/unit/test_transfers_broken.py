"""A transfer, with a bank killed, stopped, slow, late or unheard at each of its steps: money is either where it was or where it was to go.

Every row of the table is played with the real services (tests/support_stage.py); the trap sits in the broker, where a message is on its way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from contracts import subjects
from contracts.kinds import Kind
from tests.support_stage import BANKS, Answer, Simulated, bank, card, simulated

TERMINAL = "10000015"
AMOUNT = 123_45
SOON_S, LATE_S, LONG_S = 0.9, 4.0, 8.0
"""Within what the switch waits for both banks together (2.5 s); behind it; and behind several tries to deliver a reversal."""

ASKED, ANSWERED = "asked", "answered"
PAYER, PAYEE = "the payer's half", "the receiver's half"
TAKEN_BACK_BY_PAYER, TAKEN_BACK_BY_PAYEE = "the payer's reversal", "the receiver's reversal"


class Point(NamedTuple):
    """Where the trap springs: a message on its way to a bank, or its answer on the way back; the first such one."""

    step: str
    moment: str


class Message(NamedTuple):
    """What the trap has caught."""

    institution: str
    deliver: Callable[[], None]


class Fault(NamedTuple):
    do: Callable[[Simulated, Message], None]
    code: str
    """What the terminal is told when it strikes while the halves are asked for; empty: that depends."""
    lasts_s: float = 0.0


def _drop(stack: Simulated, message: Message) -> None:
    return


def _delay(seconds: float) -> Callable[[Simulated, Message], None]:
    return lambda stack, message: _later(stack, seconds, message.deliver)


def _kill(again_s: float) -> Callable[[Simulated, Message], None]:
    """Before it has seen the request, or behind its posting and before its answer."""
    return lambda stack, message: stack.stage.kill(bank(message.institution), again_s=again_s)


def _stop(stack: Simulated, message: Message) -> None:
    """It goes on later, with what has come meanwhile."""
    stack.stage.pause(bank(message.institution))
    message.deliver()
    _later(stack, LATE_S, lambda: stack.stage.resume(bank(message.institution)))


def _kill_switch(stack: Simulated, message: Message) -> None:
    stack.stage.kill("auth-a")
    message.deliver()


def _later(stack: Simulated, seconds: float, what: Callable[[], None]) -> None:
    stack.loop.call_later(seconds, what, context=stack.stage.network.home.context)


FAULTS = {
    "unheard": Fault(_drop, "68"),
    "slow": Fault(_delay(SOON_S), "00", SOON_S),
    "late": Fault(_delay(LATE_S), "68", LATE_S),
    "killed": Fault(_kill(0.2), "68", SOON_S),
    "dead for long": Fault(_kill(LONG_S), "68", LONG_S),
    "stopped": Fault(_stop, "", LATE_S),
    "switch killed": Fault(_kill_switch, "", SOON_S),
}


class Route(NamedTuple):
    payer: str
    payee: str
    refused: str = ""
    """The receiver's bank refuses its half, with this code: the payer's is taken back, and this is of the reversals."""


ROUTES = {
    "between banks": Route("debit-1", "credit-1"),
    "within a bank": Route("debit-1", "debit-2"),
    "to a slow bank": Route("credit-1", "slow-1"),
    "refused by the other bank": Route("credit-1", "debit-refer", "01"),
    "refused by the same bank": Route("debit-1", "debit-refer", "01"),
}


def points(route: Route) -> list[Point]:
    steps = [PAYER, PAYEE]
    if route.refused:
        steps = [TAKEN_BACK_BY_PAYER]
        if card(route.payer).issuer != card(route.payee).issuer:
            steps.append(TAKEN_BACK_BY_PAYEE)
    return [Point(step, moment) for step in steps for moment in (ASKED, ANSWERED)]


@contextmanager
def trapped(stack: Simulated, route: Route, point: Point, fault: Fault) -> Iterator[list[str]]:
    """Within the block the first message at `point` meets the fault. Yields what has sprung."""
    broker, sprung = stack.stage.broker, []
    assert broker is not None
    publish, halves = broker.publish, {}
    institution = card(route.payer if point.step in (PAYER, TAKEN_BACK_BY_PAYER) else route.payee).issuer
    operation = "authorize" if point.step in (PAYER, PAYEE) else "reverse"
    subject = subjects.issuer(institution, operation)

    def tapped(to: str, reply: str, header: bytes, data: bytes, sender: object) -> None:
        half = ""
        if to == subject:
            half = halves[reply] = PAYEE if b'"incoming":true' in data else PAYER
        here = (to == subject) if point.moment == ASKED else to in halves
        half = half or halves.get(to, "")
        if sprung or not here or (operation == "authorize" and half != point.step):
            publish(to, reply, header, data, sender)
            return
        sprung.append(to)
        fault.do(stack, Message(institution, lambda: publish(to, reply, header, data, sender)))

    broker.publish = tapped  # type: ignore[method-assign]
    try:
        yield sprung
    finally:
        broker.publish = publish  # type: ignore[method-assign]


def money(stack: Simulated) -> dict[str, int]:
    """By account, what it holds. All accounts that take part here are in renminbi."""
    return {
        number: account.balance_minor
        for institution in BANKS
        for number, account in stack.ledger(institution).accounts.items()
    }


def whole_again(stack: Simulated, fault: Fault) -> None:
    """Nothing is wrong any more, and the switch has told both banks whatever it had to."""
    stack.pass_time(fault.lasts_s)
    stack.stage.heal()
    stack.run(stack.stage.until_ready())
    stack.rest()


@pytest.mark.parametrize("route", ROUTES)
def test_no_money_appears_or_vanishes(route: str) -> None:
    way = ROUTES[route]
    stans = (f"{number:06d}" for number in itertools.count(1))
    with simulated((TERMINAL,)) as stack:
        for name, fault in FAULTS.items():
            for point in points(way):
                _one(stack, way, point, fault, next(stans))
            assert stack.verdict() == [], name


def _one(stack: Simulated, route: Route, point: Point, fault: Fault, stan: str) -> None:
    hand, payer, payee = stack.hand(TERMINAL), card(route.payer), card(route.payee)
    before = money(stack)
    sent = hand.transaction(Kind.TRANSFER, stan, AMOUNT, by=route.payer, pin=payer.pin)
    body = hand.request(sent, by=route.payer, pin=payer.pin, target=payee.pan)
    with trapped(stack, route, point, fault) as sprung:
        answer = stack.run(hand.ask(body))
        stack.pass_time(0.5)
    assert sprung, (point, fault)
    whole_again(stack, fault)

    moved = {n: minor - before[n] for n, minor in money(stack).items() if minor != before[n]}
    assert moved in ({}, there(route)), (point, fault)
    if answer is None:
        # Nobody knows at the terminal: it takes the transfer back, whatever has become of it.
        reversed_ = stack.run(hand.ask(hand.reversal(sent)))
        assert reversed_ is not None
        assert reversed_.code == "00", (point, fault)
        stack.rest()
        assert money(stack) == before, (point, fault)
    else:
        _as_told(answer, moved, route, point, fault)
        again = stack.run(hand.ask(body))
        assert again is not None
        assert again.alike(answer), (point, fault)


def there(route: Route) -> dict[str, int]:
    """What has changed when all of it has got there."""
    return {card(route.payer).account: -AMOUNT, card(route.payee).account: AMOUNT}


def _as_told(answer: Answer, moved: dict[str, int], route: Route, point: Point, fault: Fault) -> None:
    """The money is where the terminal was told that it is."""
    assert moved == (there(route) if answer.code == "00" else {}), (point, fault)
    if route.refused:
        assert answer.code == route.refused, (point, fault)
    elif fault.code == "00" and route.payee == "slow-1":
        assert answer.code in ("00", "68"), point  # the two of them together take about as long as the switch waits
    elif fault.code:
        assert answer.code == fault.code, (point, fault)
