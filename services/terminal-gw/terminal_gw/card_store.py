"""What is kept of a card, and what tells a repetition from another transaction: both under the acquirer's data key.

A data key has versions. What is new is made under the current one; whoever made something earlier, or runs with a newer view of the key
ring, may have used another. So a request says its fingerprint under every version that can be used, and the switch compares like with like.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts import stop_list
from contracts.pan import MaskedCard, Pan, sealed_with
from key_store import KeyRing
from security_module import DataProtection, SealedDataError


class Fingerprints(NamedTuple):
    """Keyed digests of one transaction's amount, card, processing code and particulars, each with the data key's version in front: `2:4f1d…`."""

    current: str
    others: tuple[str, ...]
    """Under the other versions that can be used; normally none."""


class CardStore:
    """The ring `data` at work, as it stood when this was made: to be made again when the ring has changed."""

    def __init__(self, module: DataProtection, ring: KeyRing) -> None:
        self._module = module
        usable = ring.usable()
        self._version, self._key = usable[0].number, usable[0].key
        self._keys = {version.number: version.key for version in usable}
        self._others = tuple((version.number, version.key) for version in usable[1:])

    def stored(self, pan: Pan, transaction: str) -> MaskedCard:
        """The card as the record of this transaction keeps it."""
        return self._kept(pan, sealed_with(transaction))

    def stored_number(self, card: MaskedCard, transaction: str) -> Pan:
        """What `stored` was given. SealedDataError when it is of another transaction or was changed, or its version can be used no longer."""
        return self._number(card, sealed_with(transaction))

    def stopped(self, pan: Pan, institution: str, entry: int) -> tuple[MaskedCard, tuple[str, ...]]:
        """The card as an entry of the stop list keeps it, and its digests under the other versions."""
        return self._kept(pan, stop_list.sealed_with(institution, entry)), self.other_digests(pan)

    def opened(self, card: MaskedCard, institution: str, entry: int) -> Pan:
        """What `stopped` was given. SealedDataError when it is of another entry, or its version can be used no longer."""
        return self._number(card, stop_list.sealed_with(institution, entry))

    def other_digests(self, pan: Pan) -> tuple[str, ...]:
        """Of the number under the other versions that can be used; normally none."""
        if not self._others:
            return ()
        digits = pan.clear().encode()
        return tuple(self._module.digest(key, digits) for _, key in self._others)

    def digests(self, pan: Pan) -> tuple[str, ...]:
        """Of the number under every version that can be used, the current one first."""
        return (self._module.digest(self._key, pan.clear().encode()), *self.other_digests(pan))

    def _kept(self, pan: Pan, associated: bytes) -> MaskedCard:
        digits = pan.clear().encode()
        return MaskedCard(
            first6=pan.first6,
            last4=pan.last4,
            length=len(digits),
            digest=self._module.digest(self._key, digits),
            key_version=self._version,
            sealed=self._module.seal(self._key, digits, associated),
        )

    def _number(self, card: MaskedCard, associated: bytes) -> Pan:
        key = self._keys.get(card.key_version)
        if key is None:
            raise SealedDataError(f"version {card.key_version} of the data key cannot be used")
        return Pan(self._module.unseal(key, card.sealed, associated).decode())

    def fingerprints(self, amount_minor: int, pan: Pan, processing_code: str, more: str = "") -> Fingerprints:
        """Alike for a repetition, whichever version the first request met. `more`: what else a repetition must say alike."""
        data, digest = f"{amount_minor}|{pan.clear()}|{processing_code}{more}".encode(), self._module.digest
        return Fingerprints(
            f"{self._version}:{digest(self._key, data)}",
            tuple(f"{number}:{digest(key, data)}" for number, key in self._others) if self._others else (),
        )
