"""Every message that a broker keeps, for a search: logs, key-value buckets and object stores are all streams."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy, StreamInfo

from runtime.bus import Bus, NoAnswer

REQUEST_TIMEOUT_S = 5.0
QUIET_S = 1.0
"""No message for so long: it is asked whether there is any left. Those of a bucket may expire while they are read."""
PATIENCE = 10
"""How many times that may be."""
PAGE = 256
"""Streams that the broker lists in one answer (JetStream API, stream_list_response)."""


class StoredMessage(NamedTuple):
    """One message as it stands in its stream."""

    stream: str
    sequence: int
    subject: str
    headers: dict[str, str]
    data: bytes


async def every_message(bus: Bus) -> AsyncIterator[StoredMessage]:
    """Stream by stream, in order, what each held when its turn came; raises NoAnswer when the broker does not say.

    Reads with the client's ordered consumer, whose flow control bounds what waits in memory, and leaves nothing behind.
    """
    js = bus.client.jetstream(timeout=REQUEST_TIMEOUT_S)
    for info in await _streams(js):
        async for message in _messages(js, info):
            yield message


async def stream_names(bus: Bus) -> list[str]:
    """All streams, empty ones too; raises NoAnswer."""
    return [str(info.config.name) for info in await _streams(bus.client.jetstream(timeout=REQUEST_TIMEOUT_S))]


async def _streams(js: JetStreamContext) -> list[StreamInfo]:
    found: list[StreamInfo] = []
    try:
        while True:
            page = await js.streams_info(offset=len(found))
            found += page
            if len(page) < PAGE:
                return sorted(found, key=lambda info: str(info.config.name))
    except (nats.js.errors.Error, nats.errors.Error, TimeoutError) as error:
        raise NoAnswer(f"streams: {type(error).__name__}") from None


async def _messages(js: JetStreamContext, info: StreamInfo) -> AsyncIterator[StoredMessage]:
    name, last = str(info.config.name), info.state.last_seq
    if not info.state.messages:
        return
    try:
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
        subscription = await js.subscribe(">", stream=name, ordered_consumer=True, config=config)
    except (nats.js.errors.Error, nats.errors.Error, TimeoutError) as error:
        raise NoAnswer(f"{name}: {type(error).__name__}") from None
    sequence, quiet = 0, 0
    try:
        while sequence < last:
            try:
                message = await subscription.next_msg(timeout=QUIET_S)
            except nats.errors.TimeoutError:
                quiet += 1
                if await _first_sequence(js, name) > last:
                    return  # what was left has expired
                if quiet == PATIENCE:
                    raise NoAnswer(f"{name}: no message behind {sequence}") from None
                continue
            sequence, pending = message.metadata.sequence.stream, message.metadata.num_pending
            yield StoredMessage(name, sequence, message.subject, dict(message.headers or {}), message.data)
            if not pending:
                return  # what stood behind this one was deleted
    except nats.errors.Error as error:
        raise NoAnswer(f"{name}: {type(error).__name__}") from None
    finally:
        with contextlib.suppress(nats.errors.Error):  # the connection may be closed, and the subscription with it
            await subscription.unsubscribe()


async def _first_sequence(js: JetStreamContext, name: str) -> int:
    """Sequence of the oldest message; behind the last one when there is none."""
    try:
        return (await js.stream_info(name)).state.first_seq
    except (nats.js.errors.Error, nats.errors.Error, TimeoutError) as error:
        raise NoAnswer(f"{name}: {type(error).__name__}") from None
