"""Terminals' session keys: in memory, and wrapped in a bucket, so that a restarted or a second gateway knows them."""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from contracts import subjects
from contracts.codec import decoder, encode_stored
from runtime import logs
from runtime.bus import NoAnswer
from security_module import KeyFormatError, WrappedKey

log = logs.get("sessions")

PATIENCE_S = 3.0
"""With the switch's 15 s below what a terminal waits (20 s)."""
RETRY_S = 0.05


class SignOnAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-on was answered: the same request is answered so again."""

    request: str
    """SHA-256 of its bytes from the MTI on, in hex."""
    at_ms: int
    rrn: str
    keys: bytes
    """Field 62: the session's keys under the terminal's master key."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-on made. The keys are under the LMK."""

    pin: WrappedKey
    mac: WrappedKey
    batch: str
    answer: SignOnAnswer | None = None
    master: str = ""
    """Check value of the terminal master key that the keys were sent under."""

    @property
    def answer_mac(self) -> WrappedKey:
        """One MAC key for both directions."""
        return self.mac


class Bucket(Protocol):
    """runtime.jetstream.Bucket; each call raises NoAnswer when nobody can say."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def delete(self, key: str) -> None: ...


_decode = decoder(Session).decode


class Opener(Protocol):
    """The security module, as far as it is asked here."""

    def verify_key(self, key: WrappedKey) -> None: ...

    def release(self, key: WrappedKey) -> None: ...


class Sessions:
    """Sessions by terminal. Only terminals of the world are asked for, so memory is bounded by it."""

    def __init__(self, bucket: Bucket, module: Opener, *, patience_s: float = 0.0) -> None:
        """`patience_s`: how long a session is asked for again when nobody can say. A refusal then has no MAC, and would be reversed."""
        self._patience_s = patience_s
        self._bucket = bucket
        self._module = module
        self._known: dict[str, Session] = {}

    def remembered(self, terminal: str) -> Session | None:
        """The session in memory, without asking anybody."""
        return self._known.get(terminal)

    async def get(self, terminal: str) -> Session | None:
        """The terminal's session; None when it has not signed on."""
        return self._known.get(terminal) or await self.reread(terminal)

    async def reread(self, terminal: str) -> Session | None:
        """What the bucket says: another gateway may have made newer keys. One made under another LMK is none: the terminal signs on again."""
        stored = await self._read(subjects.token(terminal))
        session = None if stored is None else self._opened(_decode(stored), terminal)
        self._remember(terminal, session)
        return session

    async def _read(self, key: str) -> bytes | None:
        """Asked again within the patience: a gateway that has just been started knows no session, and the broker may be starting too."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + self._patience_s
        while True:
            try:
                return await self._bucket.get(key)
            except NoAnswer:
                if clock() >= give_up:
                    raise
            await asyncio.sleep(RETRY_S)

    def _opened(self, session: Session, terminal: str) -> Session | None:
        try:
            self._module.verify_key(session.pin)
            self._module.verify_key(session.mac)
        except KeyFormatError as error:
            log.warning(
                "session keys cannot be opened, the terminal has to sign on", terminal=terminal, reason=str(error)
            )
            return None
        return session

    async def put(self, terminal: str, session: Session) -> None:
        """Returns when the session is durable."""
        await self._bucket.put(subjects.token(terminal), encode_stored(session))
        self._remember(terminal, session)

    async def forget(self, terminal: str) -> None:
        self._remember(terminal, None)
        await self._bucket.delete(subjects.token(terminal))

    def _remember(self, terminal: str, session: Session | None) -> None:
        """Of a session that is over no key stays open: a terminal has a new one each day, and gateways run for long."""
        former = self._known.pop(terminal, None)
        if session is not None:
            self._known[terminal] = session
        if former is not None and former != session:
            self._module.release(former.pin)
            self._module.release(former.mac)
