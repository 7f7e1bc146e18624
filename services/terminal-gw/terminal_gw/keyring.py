"""The standing keys that the gateway works with: the acquirer's key rings."""

from __future__ import annotations

from contracts.pan import MaskedCard, Pan
from key_store import KeyStore, names
from security_module import Algorithm, SecurityModule, WrappedKey
from world import World

_BASES = {Algorithm.TDES: names.BASE_TDES, Algorithm.AES: names.BASE_AES}


def required_rings(test_world: World) -> list[str]:
    """What must be there before the gateway can work; a terminal without a ring only costs that terminal its sign-on."""
    return [names.DATA, *_BASES.values(), *(names.zone(institution.id) for institution in test_world.institutions)]


class Keyring:
    """Institutions' zone PIN keys, base keys and the data key, each as it is current at the moment. Nothing here asks the bucket."""

    def __init__(self, module: SecurityModule, store: KeyStore, test_world: World) -> None:
        self._module = module
        self._store = store
        self._zones = {institution.id: names.zone(institution.id) for institution in test_world.institutions}

    def zone_pin(self, institution: str) -> WrappedKey:
        """What PIN blocks for this institution are put under."""
        return self._store.current(self._zones[institution]).key

    def base(self, cipher: Algorithm) -> WrappedKey:
        """The base derivation key of the DUKPT terminals of one cipher."""
        return self._store.current(_BASES[cipher]).key

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

    @property
    def _data(self) -> WrappedKey:
        return self._store.current(names.DATA).key
