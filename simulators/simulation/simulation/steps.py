"""What a terminal does. Adding a step is one entry in STEPS: what it is, what it draws, what it does."""

from __future__ import annotations

import random
from collections.abc import Callable

from simulation import cast, chips, kinds
from simulation.step import ANYWHERE, Arguments, Step, card_of, nothing, told
from terminal_sim.changes import apply
from terminal_sim.entries import ReversalDue
from terminal_sim.outcomes import Refused
from terminal_sim.till import Till

NO_ANSWER, LATE_ANSWER, SLOW, POSTED_WITHOUT_ANSWER = 8_001_00, 8_002_00, 8_003_00, 8_004_00
"""Amounts whose answers are scripted (docs/issuer-simulator.md)."""


def _sale(chance: random.Random) -> Arguments:
    return {"card": chance.choice(cast.CARDS), "amount": chance.randint(1, 500_00)}


def _amount(*amounts: int) -> Callable[[random.Random], Arguments]:
    def draw(chance: random.Random) -> Arguments:
        return {"card": chance.choice(cast.CARDS), "amount": chance.choice(amounts)}

    return draw


async def _swipe(till: Till, arguments: Arguments, pin: str | None = None) -> str:
    card = card_of(arguments)
    return told(await till.swipe(card, int(arguments["amount"]), card.pin if pin is None else pin))


async def _sell(till: Till, arguments: Arguments) -> str:
    return await _swipe(till, arguments)


async def _sell_with_wrong_pin(till: Till, arguments: Arguments) -> str:
    return await _swipe(till, arguments, "000000")


async def _lose_answer(till: Till, arguments: Arguments) -> str:
    """The answer arrives and is thrown away: the terminal has to reverse."""
    hindrance = await till.make_ready([])
    if hindrance is not None:
        return f"not sent: {hindrance.reason}"
    till.link.drop_answers = 1
    try:
        return await _swipe(till, arguments)
    finally:
        till.link.drop_answers = 0


async def _repeat(till: Till, _: Arguments) -> str:
    outcome = await till.resend_last()
    return (
        f"not sent: {outcome.reason}" if isinstance(outcome, Refused) else f"→ {outcome.response_code or 'no answer'}"
    )


async def _close(till: Till, _: Arguments) -> str:
    result = await till.close_batch()
    return f"not sent: {result.refused}" if result.refused else f"batch {result.batch} → {result.result or 'no answer'}"


async def _sign_on(till: Till, _: Arguments) -> str:
    outcome = await till.sign_on()
    return (
        f"not sent: {outcome.reason}" if isinstance(outcome, Refused) else f"→ {outcome.response_code or 'no answer'}"
    )


async def _recover(till: Till, _: Arguments) -> str:
    outcome = await till.recover()
    if outcome is None:
        return "nothing pending"
    return (
        f"not sent: {outcome.reason}" if isinstance(outcome, Refused) else f"→ {outcome.response_code or 'no answer'}"
    )


async def _reverse_settled(till: Till, _: Arguments) -> str:
    """A transaction of a batch that is closed is reversed all the same, as by a terminal whose reversal was on its way for a day."""
    record = till.terminal.record
    late = kinds.reversible_late(record, kinds.claimed_elsewhere(till))
    if late is None or record.waits or record.closing is not None:
        return "nothing to reverse"
    due = ReversalDue(batch=late.batch, stan=late.stan, reason="98")
    apply(record, due)
    till.memory.append([due])
    return await _recover(till, {})


STEPS: dict[str, Step] = {
    "sale": Step("a card is swiped", 50, _sale, _sell),
    "refused": Step("a sale that the bank refuses", 4, _amount(8_000_05, 8_000_51), _sell),
    "wrong-pin": Step("a sale with a wrong PIN", 2, _sale, _sell_with_wrong_pin),
    "silent-bank": Step("the bank never answers, and has recorded nothing", 2, _amount(NO_ANSWER), _sell),
    "late-bank": Step("the bank posts, and answers when nobody waits any more", 2, _amount(LATE_ANSWER), _sell),
    "slow-bank": Step("the bank takes two seconds", 2, _amount(SLOW), _sell),
    "mute-bank": Step("the bank posts and never answers", 2, _amount(POSTED_WITHOUT_ANSWER), _sell),
    "lost-answer": Step("the answer does not reach the terminal, which reverses", 8, _sale, _lose_answer),
    "repeat": Step("the last sale is sent once more, byte for byte", 8, nothing, _repeat, ANYWHERE),
    "close": Step("the batch is closed", 6, nothing, _close, ANYWHERE),
    "sign-on": Step("new session keys", 3, nothing, _sign_on, ANYWHERE),
    "recover": Step("the operator orders the pending reversal to be sent", 2, nothing, _recover, ANYWHERE),
    "reverse-settled": Step("a reversal that comes after the batch was closed", 5, nothing, _reverse_settled, ANYWHERE),
    **kinds.STEPS,
    **chips.STEPS,
}
