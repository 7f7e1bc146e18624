"""Questions to everybody: one that each process of some kind answers, and hints that nobody answers."""

from __future__ import annotations

import asyncio
import os

import nats.errors
from nats.aio.msg import Msg

from runtime.bus import Bus, NotDelivered
from runtime.rights import inbox


async def ask_all(bus: Bus, subject: str, body: bytes, *, wait_s: float) -> list[bytes]:
    """The answers that come within `wait_s`; NotDelivered when not connected."""
    answers: list[bytes] = []

    async def on(message: Msg) -> None:
        if message.data:  # "no responders", or a handler that failed, has none
            answers.append(message.data)

    # Where those who are asked may answer (runtime.rights): below the asker's own prefix, under the subject that was asked.
    answers_at = f"{inbox(bus.identity)}.{os.urandom(8).hex()}.{subject}.0"
    try:
        subscription = await bus.client.subscribe(answers_at, cb=on)
        await bus.client.publish(subject, body, reply=answers_at)
        await asyncio.sleep(wait_s)  # nobody knows how many will answer
        await subscription.unsubscribe()
    except (nats.errors.Error, ConnectionError) as error:
        raise NotDelivered(f"{subject}: {type(error).__name__}") from None
    return answers


async def tell(bus: Bus, subject: str, body: bytes = b"") -> None:
    """Publishes a hint that nobody answers; NotDelivered when not connected."""
    try:
        await bus.client.publish(subject, body)
        await bus.client.flush(timeout=2)
    except (nats.errors.Error, ConnectionError, TimeoutError) as error:
        raise NotDelivered(f"{subject}: {type(error).__name__}") from None
