"""What operators do with a card whose chip is read: the chip counts, its bank must believe it, and it must believe its bank."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from contracts.kinds import Kind
from simulation.kinds import lost, send
from simulation.step import Arguments, Step, card_of, told
from terminal_sim.cards import Inserted
from terminal_sim.chip_file import ChipBusyError
from terminal_sim.orders import Order
from terminal_sim.readers import inserted
from terminal_sim.till import Till

CARDS = ("debit-ic", "credit-ic", "debit-ic-lost")
"""One of each version of the cryptogram, and one whose bank has its chip blocked: what the chip makes of that goes back to the bank."""

Do = Callable[[Till, Inserted, Arguments], Awaitable[str]]


def _draw(chance: random.Random) -> Arguments:
    return {"card": chance.choice(CARDS), "amount": chance.randint(1, 500_00), "lost": lost(chance)}


def _read(do: Do, *, contactless: bool = False) -> Callable[[Till, Arguments], Awaitable[str]]:
    """With the card in the reader, for as long as it takes; it may be in another one."""

    async def step(till: Till, arguments: Arguments) -> str:
        try:
            with inserted(till.memory.path.parent, card_of(arguments), contactless=contactless) as read:
                return await do(till, read, arguments)
        except ChipBusyError as busy:
            return f"not sent: {busy}"

    return step


def _asked(kind: Kind, *, pin: bool) -> Do:
    async def do(till: Till, read: Inserted, arguments: Arguments) -> str:
        amount = int(arguments["amount"])
        order = Order(kind=kind, card=read, amount_minor=amount, pin=card_of(arguments).pin if pin else "")
        return (await send(till, lambda: order, arguments["lost"]))[1]

    return do


async def _offline(till: Till, read: Inserted, arguments: Arguments) -> str:
    return told(await till.sell_offline(read, int(arguments["amount"])))


STEPS: dict[str, Step] = {
    "chip": Step("a chip is put in", 6, _draw, _read(_asked(Kind.SALE, pin=True))),
    "chip-hold": Step("money is held, by chip", 2, _draw, _read(_asked(Kind.PRE_AUTH, pin=True))),
    "contactless": Step("a small sale without a PIN", 4, _draw, _read(_asked(Kind.SALE, pin=False), contactless=True)),
    "chip-offline": Step("chip and terminal approve alone", 3, _draw, _read(_offline)),
}
