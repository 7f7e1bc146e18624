"""The standing keys that the gateway works with: the acquirer's key rings."""

from __future__ import annotations

from key_store import KeyRing, KeyStore, names
from security_module import Algorithm, DataProtection, WrappedKey
from terminal_gw.card_store import CardStore
from world import World

_BASES = {Algorithm.TDES: names.BASE_TDES, Algorithm.AES: names.BASE_AES}


def required_rings(test_world: World) -> list[str]:
    """What must be there before the gateway can work; a terminal without a ring only costs that terminal its sign-on."""
    return [names.DATA, *_BASES.values(), *(names.zone(institution.id) for institution in test_world.institutions)]


class Keyring:
    """Institutions' zone PIN keys, base keys and the data key, each as it is current at the moment. Nothing here asks the bucket."""

    def __init__(self, module: DataProtection, store: KeyStore, test_world: World) -> None:
        self._module = module
        self._store = store
        self._zones = {institution.id: names.zone(institution.id) for institution in test_world.institutions}
        self._data: KeyRing | None = None

    def zone_pin(self, institution: str) -> WrappedKey:
        """What PIN blocks for this institution are put under."""
        return self._store.current(self._zones[institution]).key

    def base(self, cipher: Algorithm) -> WrappedKey:
        """The base derivation key of the DUKPT terminals of one cipher."""
        return self._store.current(_BASES[cipher]).key

    @property
    def cards(self) -> CardStore:
        """What works with the data key; made again when its ring has changed."""
        ring = self._store.ring(names.DATA)
        if ring is not self._data:
            self._data, self._cards = ring, CardStore(self._module, ring)
        return self._cards
