"""Damaged frames at the terminals' port, each with a card in it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator

import iso8583
import world
from iso8583 import Value

ANSWER_S, PAUSE_S = 20.0, 0.2
TERMINAL = "10000003"
"""One that does nothing else in a run."""


def _sale() -> tuple[bytes, str, str]:
    """A sale's body, and the number and track in it."""
    card, facts = world.built_in().cards[0], world.built_in().terminal(TERMINAL)
    assert facts is not None  # noqa: S101 - of the built-in world
    number, track = card.pan.clear(), world.track2(card).clear()
    fields: dict[int, Value] = {
        2: number,
        3: "000000",
        4: "000000000100",
        11: "000001",
        14: card.expiry,
        22: "021",
        25: "00",
        26: "12",
        35: track,
        41: TERMINAL,
        42: facts.merchant,
        49: "156",
        52: bytes.fromhex("0612AC7FFFFFFFFE"),
        53: "2600000000000000",
        60: "22000001",
        64: bytes(8),
    }
    return iso8583.encode(iso8583.Message("0200", fields)), number, track


def damaged_frames(seed: int) -> Iterator[tuple[str, bytes]]:
    """What is wrong with it, and the bytes for the line; the same for a seed."""
    chance = random.Random(seed)
    body, number, track = _sale()
    packed = bytes.fromhex(track.ljust(38, "0"))
    at = body.index(bytes.fromhex(number))
    yield "wrong MAC", iso8583.frame(body)
    yield "cut within the track", iso8583.frame(body[: body.index(packed[:10]) + 12])
    yield "cut within the number", iso8583.frame(body[: at + 5])
    yield "letters in an amount", iso8583.frame(body.replace(bytes.fromhex("000000000100"), b"\xab" * 6))
    yield "letters in the number", iso8583.frame(body[: at + 4] + b"\xde\xad" + body[at + 6 :])
    yield "a number that is too long", iso8583.frame(body[: at - 1] + b"\x99" + body[at:])
    yield "a field that nobody knows", iso8583.frame(body[:13] + bytes([body[13] | 0x08]) + body[14:])
    yield "a secondary bitmap", iso8583.frame(body[:13] + bytes([body[13] | 0x80]) + body[14:])
    yield "an unknown type", iso8583.frame(body[:11] + b"\x09\x99" + body[13:])
    yield "a type that is an answer's", iso8583.frame(body[:11] + b"\x02\x10" + body[13:])
    yield "another's merchant", iso8583.frame(body.replace(b"482290054110001", f"{number[:15]}".encode()))
    yield "an unknown terminal", iso8583.frame(body.replace(TERMINAL.encode(), number[:8].encode()))
    yield "more behind the last field", iso8583.frame(body + packed)
    yield "longer than it says", (len(body) - 20).to_bytes(2, "big") + body
    yield "too long", (5000).to_bytes(2, "big") + body + number.encode() * 300
    yield "no length", b"\x00\x00" + body
    yield "two at once", iso8583.frame(body) * 2
    yield "text", iso8583.frame(f"pan={number}&track2={track}&pin=123456".encode())
    yield "random bytes around a track", iso8583.frame(chance.randbytes(40) + packed + chance.randbytes(40))
    flipped = bytearray(body)
    for _ in range(3):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    yield "flipped bits", iso8583.frame(bytes(flipped))


async def send_all(host: str, port: int, seed: int, sent: Counter[str], answers: Counter[str]) -> None:
    """Each on a connection of its own; a frame that is not whole costs the gateway's patience and is left to others."""
    for what, data in damaged_frames(seed):
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            answers["nobody listens"] += 1
            await asyncio.sleep(PAUSE_S)  # the gateway is being started again
            continue
        try:
            writer.write(data)
            head = await asyncio.wait_for(reader.read(2), ANSWER_S)
            answers["answered" if head else "closed"] += 1
        except (ConnectionError, TimeoutError) as error:
            answers[type(error).__name__] += 1
        finally:
            writer.transport.abort()
        sent[what] += 1
