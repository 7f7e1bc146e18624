"""The standing keys that the gateway works with, wrapped once per process."""

from __future__ import annotations

import world
from key_store import KeyRing, names
from security_module import Algorithm, Purpose, SecurityModule, WrappedKey
from terminal_gw.card_store import CardStore
from world import KeyScheme, World


class Keyring:
    """Terminal master keys, base keys, institutions' zone PIN keys and the data key."""

    def __init__(self, module: SecurityModule, test_world: World) -> None:
        self._module = module
        data = module.import_clear(Purpose.DATA, world.data_key())
        self.cards = CardStore(module, KeyRing.first(names.DATA, data, at_ms=0))
        self._zones = {
            institution.id: module.import_clear(
                Purpose.ZONE_PIN, world.zone_pin_key(institution.id), world.zone_pin_algorithm(institution.id)
            )
            for institution in test_world.institutions
        }
        self._bases = {
            scheme: module.import_clear(Purpose.BASE_DERIVATION, world.base_key(cipher), cipher)
            for scheme, cipher in ((KeyScheme.DUKPT_TDES, Algorithm.TDES), (KeyScheme.DUKPT_AES, Algorithm.AES))
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

    def base(self, scheme: KeyScheme) -> WrappedKey:
        """The base key of a DUKPT scheme."""
        return self._bases[scheme]
