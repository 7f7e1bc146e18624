"""Card numbers as the gateway gives them to be journalled: digested and sealed under the test world's data key, version 1."""

from __future__ import annotations

import world
from contracts.pan import MaskedCard, Pan, sealed_with
from security_module import Purpose, SecurityModule

VERSION = 1


class CardSealer:
    """The data key at work, in a security module of its own."""

    def __init__(self) -> None:
        self._module = SecurityModule(world.lmk("acquirer"))
        self._key = self._module.import_clear(Purpose.DATA, world.data_key())
        self._digests: dict[Pan, str] = {}

    def stored(self, pan: Pan, transaction: str) -> MaskedCard:
        """The card as the record of this transaction keeps it."""
        digits = pan.clear().encode()
        digest = self._digests.get(pan)
        if digest is None:
            digest = self._digests[pan] = self._module.digest(self._key, digits)
        return MaskedCard(
            first6=pan.first6,
            last4=pan.last4,
            length=len(digits),
            digest=digest,
            key_version=VERSION,
            sealed=self._module.seal(self._key, digits, sealed_with(transaction)),
        )

    def fingerprint(self, amount_minor: int, pan: Pan, processing_code: str) -> str:
        """What tells a repetition from another transaction."""
        data = f"{amount_minor}|{pan.clear()}|{processing_code}".encode()
        return f"{VERSION}:{self._module.digest(self._key, data)}"
