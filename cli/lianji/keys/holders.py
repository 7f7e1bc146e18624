"""Which process holds which versions, as the processes say themselves (`keys.v1.held`)."""

from __future__ import annotations

import time
from collections.abc import Iterable

from contracts import subjects
from contracts.codec import decoder, encode
from contracts.key_holding import HeldAnswer, HeldQuestion
from lianji.errors import CliError
from lianji.keys.custodian import Address
from runtime.bus import Bus

ANSWER_S = 0.5

_answer = decoder(HeldAnswer).decode

Holders = dict[Address, dict[str, tuple[int, ...]]]
"""By ring, by instance: the numbers of the versions that it can use, the current one first."""


async def holders(bus: Bus, rings: Iterable[str]) -> Holders:
    """What every process says of the rings with these names, whosever they are. Takes ANSWER_S: nobody knows how many will answer."""
    question = encode(HeldQuestion(rings=tuple(rings)))
    answers = await bus.ask_all(subjects.KEYS_HELD, question, wait_s=ANSWER_S)
    found: Holders = {}
    for answer in map(_answer, answers):
        for ring in answer.held:
            found.setdefault(Address(ring.party, ring.name), {})[answer.instance] = ring.usable
    return found


async def until_all_hold(bus: Bus, address: Address, number: int, *, within_s: float) -> int:
    """Returns how many processes have the ring, when each of them holds version `number`; CliError that names those that do not in time.

    A process that starts meanwhile reads the ring at its start. One that does not answer now (it hangs, or the broker does not reach it)
    is not waited for: it reads the ring before long, and what it does until then is done with versions that stay accepted.
    """
    give_up = time.monotonic() + within_s
    while True:
        held = (await holders(bus, [address.name])).get(address, {})
        without = sorted(instance for instance, usable in held.items() if number not in usable)
        if not without:
            return len(held)
        if time.monotonic() > give_up:
            raise CliError(
                f"{address}: version {number} is not held by {', '.join(without)} after {within_s:g} s; it stays accepted, "
                "nothing uses it yet; repeat the command to go on"
            )
