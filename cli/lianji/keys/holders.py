"""Which process holds which versions, as the processes say themselves (`keys.v1.held`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from contracts import subjects
from contracts.codec import decoder, encode
from contracts.key_holding import HeldAnswer, HeldQuestion
from lianji.errors import CliError
from lianji.keys.custodian import Address
from runtime.bus import Bus
from runtime.roll_call import ask_all, instances

ANSWER_S = 0.5
_AGAIN_S = 0.05
GATEWAY = "terminal-gw"

_answer = decoder(HeldAnswer).decode

Holders = dict[Address, dict[str, tuple[int, ...]]]
"""By ring, by instance: the numbers of the versions that it can use, the current one first."""


async def holders(bus: Bus, rings: Iterable[str], *, expected: int = 0) -> Holders:
    """What every process says of the rings with these names, whosever they are; waits no longer once `expected` have answered."""
    question = encode(HeldQuestion(rings=tuple(rings)))
    answers = await ask_all(
        bus,
        subjects.KEYS_HELD,
        question,
        wait_s=ANSWER_S,
        enough=lambda so_far: 0 < expected <= len(so_far),
    )
    found: Holders = {}
    for answer in map(_answer, answers):
        for ring in answer.held:
            found.setdefault(Address(ring.party, ring.name), {})[answer.instance] = ring.usable
    return found


async def until_every_gateway_holds(bus: Bus, address: Address, number: int, *, within_s: float) -> int:
    """Returns how many gateways run, when each of them holds version `number`; CliError that names those that do not in time.

    A gateway that starts meanwhile reads the ring at its start.
    """
    give_up = time.monotonic() + within_s
    while True:
        running = await instances(bus, GATEWAY)
        held = (await holders(bus, [address.name])).get(address, {})
        without = {instance for instance in running if number not in held.get(instance, ())}
        if not without:
            return len(running)
        if time.monotonic() > give_up:
            raise CliError(
                f"{address}: version {number} is not held by {', '.join(sorted(without))} after {within_s:g} s; it stays accepted, "
                "nothing uses it yet; repeat the command to go on"
            )
        await asyncio.sleep(_AGAIN_S)
