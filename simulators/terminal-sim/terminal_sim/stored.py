"""Notices that a terminal keeps until its host has answered them (store and forward)."""

from __future__ import annotations

import msgspec


class SealedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card number and its expiry under the terminal's local key, for as long as a notice waits. Never a track, never a PIN."""

    data: bytes


class StoredAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """A 0220 that the host has not answered: it is sent again, alike, until it does, before the next online transaction."""

    batch: str
    stan: str
    card: SealedCard
    tries: int = 0
