"""Asking everybody at once: a question that each process of some kind answers, and who runs at this moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

import msgspec
import nats.errors
from nats.aio.msg import Msg

from runtime.bus import Bus, NotDelivered


class _Info(msgspec.Struct):
    """An answer to `$SRV.INFO` (NATS micro), as far as it says who answers."""

    name: str
    metadata: dict[str, str]


_info = msgspec.json.Decoder(_Info).decode


async def ask_all(
    bus: Bus, subject: str, body: bytes, *, wait_s: float, enough: Callable[[list[bytes]], bool]
) -> list[bytes]:
    """The answers that come within `wait_s`, or until they are `enough`: nobody knows how many will. NotDelivered when not connected."""
    answers: list[bytes] = []
    satisfied = asyncio.Event()

    async def on(message: Msg) -> None:
        if message.data:  # "no responders" has none
            answers.append(message.data)
            if enough(answers):
                satisfied.set()

    inbox = f"_INBOX.{bus.name}.{os.urandom(8).hex()}"
    try:
        subscription = await bus.client.subscribe(inbox, cb=on)
        await bus.client.publish(subject, body, reply=inbox)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(satisfied.wait(), wait_s)
        await subscription.unsubscribe()
    except (nats.errors.Error, ConnectionError) as error:
        raise NotDelivered(f"{subject}: {type(error).__name__}") from None
    return answers


async def instances(bus: Bus, service: str, *, wait_s: float = 0.25) -> set[str]:
    """The instances of a service that run at this moment, as they say themselves."""
    answers = await ask_all(bus, f"$SRV.INFO.{service}", b"", wait_s=wait_s, enough=lambda _: False)
    return {_info(answer).metadata.get("instance", "") for answer in answers}


async def tell(bus: Bus, subject: str, body: bytes) -> None:
    """Publishes a hint that nobody answers; NotDelivered when not connected."""
    try:
        await bus.client.publish(subject, body)
        await bus.client.flush(timeout=2)
    except (nats.errors.Error, ConnectionError, TimeoutError) as error:
        raise NotDelivered(f"{subject}: {type(error).__name__}") from None
