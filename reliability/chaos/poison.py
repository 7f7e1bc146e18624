"""Messages that nobody should send: to every subject that takes requests, by whoever may send there, and on the terminals' line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import world
from contracts.access import Access
from lianji import options, stackfile
from lianji.permissions import everybody, identity_of
from reliability.chaos.fault import Arena, Fault, Over, now_s
from runtime.bus import Bus, BusError

ANSWER_S = 1.0
"""For an answer to poison. None is as good as one."""
TERMINAL = "10000001"
MOST_PAYLOAD = 8 * 1024 * 1024
"""The broker takes no more in one message."""

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no text": bytes(range(256)),
    "no JSON": b"{",
    "no object": b"[]",
    "an empty object": b"{}",
    "another object": b'{"type":"approved","transaction":7,"amount_minor":-1,"kind":"sale"}',
    "a number without end": b'{"amount_minor":' + b"9" * 5000 + b"}",
    "nested": b"[" * 100_000,
    "half a character": b'{"terminal":"\xe4\xba"}',
    "a megabyte": b'{"terminal":"' + b"0" * 1_000_000 + b'"}',
    "as much as the broker takes": b" " * (MOST_PAYLOAD - 1024),
}
"""What is sent to a subject, by what it is."""

FRAMES: dict[str, bytes] = {
    "a length of nothing": b"\x00\x00",
    "a length beyond all": b"\xff\xff" + b"0" * 65_535,
    "half a frame": b"\x01\x00" + b"0" * 100,
    "no message": b"\x00\x10" + bytes(range(16)),
    "another protocol": b"GET / HTTP/1.1\r\nHost: host\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "many bytes": bytes(1_000_000),
}
"""What is sent on a terminal's line, by what it is."""


class Way(NamedTuple):
    """A subject and an identity that may send there."""

    identity: str
    subject: str
    answered: bool
    """Whether anybody answers there at all."""


def ways(everyone: tuple[Access, ...], service: str) -> Iterator[Way]:
    """Every subject on which the service takes requests or hears something, each with somebody who may send there."""
    theirs = [one for one in everyone if one.service == service]
    served = dict.fromkeys((serves.subject for one in theirs for serves in one.serves), True)
    heard = dict.fromkeys((subject for one in theirs for subject in one.hears), False)
    for subject, answered in {**heard, **served}.items():
        sender = next((one for one in everyone if subject in (*one.asks, *one.tells)), None)
        if sender is not None:
            yield Way(sender.identity, subject.replace("*", TERMINAL), answered)


@dataclass(frozen=True, kw_only=True)
class Poison(Fault):
    """Every body to every subject of a service."""

    service: str

    async def strike(self, arena: Arena) -> Over:
        by_identity: dict[str, list[Way]] = {}
        for way in ways(everybody(world.built_in()), self.service):
            by_identity.setdefault(way.identity, []).append(way)
        answered = [await _send_all(arena, identity, its) for identity, its in by_identity.items()]
        sent = sum(map(len, by_identity.values())) * len(BODIES)
        return Over(now_s(), f"{sent} messages, {sum(answered)} answered")


async def _send_all(arena: Arena, identity: str, its: list[Way]) -> int:
    """How many of an identity's messages were answered."""
    url = stackfile.running(arena.data_dir).nats_url
    bus = await Bus.connect(url, "chaos-poison", identity=identity_of(None, identity), wait_s=options.CONNECT_S)
    try:
        # Each subject's one after the other, as one who is wrong would send them; all subjects at once.
        return sum(await asyncio.gather(*(_sent(bus, way) for way in its)))
    finally:
        await bus.close()


async def _sent(bus: Bus, way: Way) -> int:
    return sum([await _answered(bus, way, body) for body in BODIES.values()])


async def _answered(bus: Bus, way: Way, body: bytes) -> bool:
    try:
        if not way.answered:
            await bus.tell(way.subject, body)
            return False
        await bus.request(way.subject, body, timeout_s=ANSWER_S)
    except BusError:
        return False  # silence is an answer to poison
    return True


@dataclass(frozen=True, kw_only=True)
class PoisonedLine(Fault):
    """Every one of FRAMES, each on a connection of its own, at the gateway's door."""

    async def strike(self, arena: Arena) -> Over:
        stack = stackfile.running(arena.data_dir)
        await asyncio.gather(*(_say(stack.gateway_host, stack.gateway_port, frames) for frames in FRAMES.values()))
        return Over(now_s(), f"{len(FRAMES)} connections")


async def _say(host: str, port: int, said: bytes) -> None:
    """Says it, and stays until the host hangs up or a second is over."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(said)
        async with asyncio.timeout(ANSWER_S):
            await writer.drain()
            await reader.read()
    except (OSError, TimeoutError):  # TimeoutError too: a frame that has only begun is given its time
        return
    finally:
        writer.transport.abort()
