"""Which versions of its downloads a terminal has confirmed, and the push that makes it ask for newer ones.

What a terminal has confirmed is kept in the bucket of the sessions under a key of its own: the gateways alone write and read it, as they do
sessions, and it must outlive them, which a sign-off takes away. A terminal of which nothing is kept has what it was shipped with.

    nothing ──first page──▶ offered ──end──▶ confirmed
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

import world
from contracts import subjects
from contracts.codec import decoder, encode_stored
from runtime import logs
from runtime.bus import NoAnswer
from terminal_gw.answers import NO_PUSH
from terminal_gw.sessions import Bucket
from world import SHIPPED, Download, Merchant, Offer, Terminal

log = logs.get("downloads")

PUSHES = {Download.PARAMETERS: "1", Download.CA_KEYS: "4", Download.IC_PARAMETERS: "5"}
"""Processing requirement of an answer's header, in the order in which a terminal is asked."""
Offers = Callable[[Terminal, Merchant, Download], Offer]


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Of one terminal, by kind of download."""

    confirmed: dict[str, int] = {}
    offered: dict[str, int] = {}
    """The version of the first page that was sent last: the pages behind it and the end are of the same."""


_decode = decoder(_Kept).decode


class Downloads:
    """Which versions terminals have, and which of them are to be asked to come for newer ones."""

    def __init__(self, bucket: Bucket, offers: Offers = world.offer) -> None:
        self._bucket = bucket
        self._offers = offers
        self._due: dict[str, str] = {}
        """Terminal → the push that its answers carry; most are not in here."""

    def push(self, terminal: str) -> str:
        """Processing requirement for the header of an answer to this terminal. In memory: a gateway learns it at the terminal's sign-on."""
        return self._due.get(terminal, NO_PUSH)

    def offer(self, terminal: Terminal, merchant: Merchant, kind: Download) -> Offer:
        """What the terminal may download now."""
        return self._offers(terminal, merchant, kind)

    async def learn(self, terminal: Terminal, merchant: Merchant) -> None:
        """Finds out what the terminal is to be asked for. The bucket is read for those alone for which there is more than they were shipped with."""
        versions = {kind: self._offers(terminal, merchant, kind).version for kind in PUSHES}
        if all(version <= SHIPPED for version in versions.values()):
            return
        try:
            kept = await self._read(terminal.tid)
        except NoAnswer as error:  # a terminal that has to sell is not kept from it: it is asked another time
            log.warning("versions of a terminal cannot be read", terminal=terminal.tid, reason=str(error))
            return
        self._set_due(terminal.tid, versions, kept)

    async def begin(self, tid: str, kind: Download, version: int) -> None:
        """The first page of a version goes out; durable before it does."""
        kept = await self._read(tid)
        if kept.offered.get(kind) != version:
            await self._write(tid, msgspec.structs.replace(kept, offered={**kept.offered, kind: version}))

    async def is_offered(self, tid: str, kind: Download, version: int) -> bool:
        """Whether the terminal's first page was of this version."""
        return (await self._read(tid)).offered.get(kind) == version

    async def confirm(self, terminal: Terminal, merchant: Merchant, kind: Download, version: int) -> bool:
        """The terminal has all of this version; False when its first page was of another one. Durable when it returns."""
        kept = await self._read(terminal.tid)
        if kept.offered.get(kind) != version:
            return False
        if kept.confirmed.get(kind) != version:
            kept = msgspec.structs.replace(kept, confirmed={**kept.confirmed, kind: version})
            await self._write(terminal.tid, kept)
        versions = {other: self._offers(terminal, merchant, other).version for other in PUSHES}
        self._set_due(terminal.tid, versions, kept)
        return True

    def _set_due(self, tid: str, versions: dict[Download, int], kept: _Kept) -> None:
        older = (kind for kind in PUSHES if kept.confirmed.get(kind, SHIPPED) < versions[kind])
        first = next(older, None)
        if first is None:
            self._due.pop(tid, None)
        else:
            self._due[tid] = PUSHES[first]

    async def _read(self, tid: str) -> _Kept:
        stored = await self._bucket.get(_key(tid))
        return _Kept() if stored is None else _decode(stored)

    async def _write(self, tid: str, kept: _Kept) -> None:
        await self._bucket.put(_key(tid), encode_stored(kept))


def _key(tid: str) -> str:
    return f"downloads.{subjects.token(tid)}"
