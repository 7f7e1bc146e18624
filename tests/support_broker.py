"""A broker with the committed users, and probes that see whether it lets something pass."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nats.aio.client import Client

from contracts.access import AUDITOR
from contracts.subjects import LEASES
from lianji.broker import LocalBroker
from lianji.permissions import identity_of
from runtime.bus import Bus
from runtime.identity import Identity
from runtime.rights import bucket_stream, inbox
from runtime.streams import states

COMPLAINT = "nats: permissions violation for "
NOBODY_MAY = "nobody.may"
USERS = Path(__file__).resolve().parents[1] / "deploy" / "nats-users.conf"


@contextmanager
def guarded(directory: Path, users: str | None = None) -> Iterator[str]:
    """The URL of a broker that takes the users of Compose, or these."""
    broker = LocalBroker(directory, users=USERS.read_text() if users is None else users)
    broker.start()
    try:
        yield broker.url
    finally:
        broker.stop()


class Prober:
    """A connection of one identity that notes what the broker refuses."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.client = Client()
        self._complaints: asyncio.Queue[str] = asyncio.Queue()

    async def connect(self, url: str, identity: Identity | None = None) -> Prober:
        key = (identity or identity_of(None, self.identity)).key
        assert key is not None

        async def complain(error: Exception) -> None:
            self._complaints.put_nowait(str(error))

        self.client._public_nkey = key.public
        prefix = inbox(self.identity)
        await self.client.connect(
            url, signature_cb=key.sign, inbox_prefix=prefix, error_cb=complain, allow_reconnect=False, connect_timeout=5
        )
        return self

    async def is_refused(self, what: str, body: bytes = b"probe", *, reply: str = "", **headers: str) -> bool:
        """Whether the broker refuses `publish SUBJECT` or `subscribe SUBJECT [QUEUE]`, and says that it was this."""
        verb, subject, *queue = what.split()
        if verb == "publish":
            named = {name.replace("_", "-"): value for name, value in headers.items()} or None
            await self.client.publish(subject, body, reply=reply, headers=named)
        else:
            subscription = await self.client.subscribe(subject, queue="".join(queue))
            await subscription.unsubscribe()
        place = f'publish to "{subject}"' if verb == "publish" else f'subscription to "{subject}"'
        return (COMPLAINT + place).lower() in await self._complaints_so_far()

    async def _complaints_so_far(self) -> str:
        """The broker complains in order: behind a probe goes what nobody may, and what it has complained of before that was the probe.
        (The client's `flush` is no such mark: its ping overtakes what waits to be written.)"""
        await self.client.publish(NOBODY_MAY, b"")
        complaints = []
        async with asyncio.timeout(10):
            while NOBODY_MAY not in (complaint := await self._complaints.get()):
                complaints.append(complaint)
        assert len(complaints) <= 1, complaints
        return "".join(complaints)

    async def close(self) -> None:
        await self.client.close()


async def connected(url: str, identity: str) -> Bus:
    return await Bus.connect(url, f"test-{identity}", identity=identity_of(None, identity), wait_s=10)


async def holdings(url: str) -> dict[str, tuple[int, int]]:
    """Last sequence and messages of every stream, as the auditor sees them; of the leases, which run out by themselves, the first only."""
    bus = await connected(url, AUDITOR)
    try:
        found = await states(bus)
    finally:
        await bus.close()
    leases = bucket_stream(LEASES)
    return {name: (state.last_seq, 0 if name == leases else state.messages) for name, state in found.items()}
