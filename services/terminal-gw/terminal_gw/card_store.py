"""What is kept of a card, and what tells a repetition from another transaction: both under the acquirer's data key.

A data key has versions. What is new is made under the current one; whoever made something earlier, or runs with a newer view of the key
ring, may have used another. So a request says its fingerprint under every version that can be used, and the switch compares like with like.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.pan import MaskedCard, Pan, sealed_with
from key_store import KeyRing
from security_module import DataProtection


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
        self._others = tuple((version.number, version.key) for version in usable[1:])

    def stored(self, pan: Pan, transaction: str) -> MaskedCard:
        """The card as the record of this transaction keeps it."""
        digits = pan.clear().encode()
        return MaskedCard(
            first6=pan.first6,
            last4=pan.last4,
            length=len(digits),
            digest=self._module.digest(self._key, digits),
            key_version=self._version,
            sealed=self._module.seal(self._key, digits, sealed_with(transaction)),
        )

    def fingerprints(self, amount_minor: int, pan: Pan, processing_code: str, more: str = "") -> Fingerprints:
        """Alike for a repetition, whichever version the first request met. `more`: what else a repetition must say alike."""
        data, digest = f"{amount_minor}|{pan.clear()}|{processing_code}{more}".encode(), self._module.digest
        return Fingerprints(
            f"{self._version}:{digest(self._key, data)}",
            tuple(f"{number}:{digest(key, data)}" for number, key in self._others) if self._others else (),
        )
