"""The standing keys that the gateway works with, wrapped once per process."""

from __future__ import annotations

import world
from contracts.pan import MaskedCard, Pan
from security_module import Algorithm, Purpose, SecurityModule, WrappedKey
from world import World


class Keyring:
    """Terminal master keys, base keys, institutions' zone PIN keys and the data key."""

    def __init__(self, module: SecurityModule, test_world: World) -> None:
        self._module = module
        self._data = module.import_clear(Purpose.DATA, world.data_key())
        self._zones = {
            institution.id: module.import_clear(
                Purpose.ZONE_PIN, world.zone_pin_key(institution.id), world.zone_pin_algorithm(institution.id)
            )
            for institution in test_world.institutions
        }
        self._bases = {
            cipher: module.import_clear(Purpose.BASE_DERIVATION, world.base_key(cipher), cipher) for cipher in Algorithm
        }
        self._masters: dict[str, WrappedKey] = {}

    def terminal_master(self, terminal: str) -> WrappedKey:
        """The TMK of a terminal of the world (so there are never more than it has)."""
        key = self._masters.get(terminal)
        if key is None:
            key = self._masters[terminal] = self._module.import_clear(
                Purpose.TERMINAL_MASTER, world.terminal_master_key(terminal)
            )
        return key

    def zone_pin(self, institution: str) -> WrappedKey:
        return self._zones[institution]

    def base(self, cipher: Algorithm) -> WrappedKey:
        """The base derivation key of the DUKPT terminals of one cipher."""
        return self._bases[cipher]

    def masked(self, pan: Pan) -> MaskedCard:
        """What may be stored of a card."""
        clear = pan.clear()
        return MaskedCard(
            first6=pan.first6,
            last4=pan.last4,
            length=len(clear),
            digest=self._module.digest(self._data, clear.encode()),
        )

    def fingerprint(self, amount_minor: int, pan: Pan, processing_code: str) -> str:
        """Tells a repetition from another transaction under the same identity."""
        return self._module.digest(self._data, f"{amount_minor}|{pan.clear()}|{processing_code}".encode())
