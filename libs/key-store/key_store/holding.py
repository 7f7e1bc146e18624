"""The answer to "who holds which versions?" (`keys.v1.held`)."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.codec import decoder, encode
from contracts.key_holding import HeldAnswer, HeldQuestion, HeldRing
from key_store.store import KeyStore

_question = decoder(HeldQuestion).decode


def holding(question: bytes, stores: Iterable[KeyStore], instance: str) -> bytes:
    """A HeldAnswer for a HeldQuestion: what `stores` have in memory. msgspec.MsgspecError for what is no question."""
    names = _question(question).rings
    held = []
    for store in stores:
        for ring in filter(None, map(store.known, names)):
            numbers = tuple(version.number for version in ring.usable())
            held.append(HeldRing(party=store.party, name=ring.name, current=numbers[0], usable=numbers))
    return encode(HeldAnswer(instance=instance, held=tuple(held)))
