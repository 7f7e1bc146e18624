"""Streams, buckets and consumers, made by a short-lived step of its own: no service may create, change or delete any."""

from __future__ import annotations

from typing import NamedTuple

import nats.js.errors
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from runtime.bus import Bus
from runtime.rights import bucket_stream, bucket_subject

LEASE_TTL_S = 2.0
DUPLICATES_S = 10.0
"""How long a stream knows message ids. Nothing rests on it (ADR 0003): a repetition that comes later is refused by the sequence and found to have
landed. The broker keeps up to three times as long in memory: of two minutes' groups that was 20 to 50 MB, up and down."""


class LogDeclaration(NamedTuple):
    """A log and the projections that follow it."""

    stream: str
    subject: str
    followers: tuple[str, ...] = ()


class Declaration(NamedTuple):
    """All that the broker has to hold."""

    logs: tuple[LogDeclaration, ...]
    leases: str
    buckets: tuple[str, ...]
    max_bytes: int = 64 * 1024**3
    """Per log; below the disk, so that `discard: new` speaks before the disk does."""


def durable(follower: str, stream: str) -> str:
    """The durable consumer of a follower on a stream."""
    return f"{follower}_{stream}"


async def provision(bus: Bus, declaration: Declaration) -> None:
    """Makes what is not there yet; what is there is left as it is, except that it must be a stream of ours."""
    js = bus.client.jetstream(timeout=10)
    for row in declaration.logs:
        await _ensure_stream(
            bus,
            StreamConfig(
                name=row.stream,
                subjects=[row.subject],
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                max_bytes=declaration.max_bytes,
                deny_delete=True,
                deny_purge=True,
                allow_direct=False,  # direct reads were stale; a fence decided on a stale read is no fence
                duplicate_window=DUPLICATES_S,
            ),
        )
        for follower in row.followers:
            await js.add_consumer(
                row.stream,
                ConsumerConfig(
                    durable_name=durable(follower, row.stream),
                    deliver_policy=DeliverPolicy.ALL,
                    ack_policy=AckPolicy.ALL,
                    ack_wait=30,
                    max_ack_pending=1024,
                ),
            )
    for name, ttl_s in ((declaration.leases, LEASE_TTL_S), *((b, 0.0) for b in declaration.buckets)):
        await _ensure_stream(bus, _bucket(name, ttl_s))


def _bucket(name: str, ttl_s: float) -> StreamConfig:
    """A key-value bucket that keeps the last value of each key. Not the client's own: that one takes roll-ups, by which whoever may put
    one key can empty all of it."""
    return StreamConfig(
        name=bucket_stream(name),
        subjects=[bucket_subject(name, ">")],
        max_msgs_per_subject=1,
        max_age=ttl_s,
        duplicate_window=min(DUPLICATES_S, ttl_s) or DUPLICATES_S,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        deny_delete=True,
        deny_purge=True,
        allow_rollup_hdrs=False,
        allow_direct=False,
    )


async def _ensure_stream(bus: Bus, config: StreamConfig) -> None:
    js = bus.client.jetstream(timeout=10)
    assert config.name is not None  # noqa: S101 - named two lines above every call
    try:
        await js.stream_info(config.name)
    except nats.js.errors.NotFoundError:
        await js.add_stream(config)
