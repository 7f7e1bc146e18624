"""One bank's keys: its key rings, as they are in memory at the moment."""

from __future__ import annotations

from key_store import KeyStore, names
from security_module import WrappedKey


class BankKeys:
    """The bank reads what any usable version made; only the acquirer makes PIN blocks under the zone key."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def zone_pin(self, check_value: str) -> WrappedKey | None:
        """The zone PIN key with this check value, without one the current; None when no usable version has it."""
        current = self._store.current(names.ZONE)
        if not check_value or check_value == current.check_value:
            return current.key
        version = self._store.ring(names.ZONE).having(check_value)
        return None if version is None else version.key

    async def reread_zone(self) -> None:
        """Asks the bucket whether the zone key has newer versions; NoAnswer."""
        await self._store.reread(names.ZONE)

    @property
    def card_verification(self) -> tuple[WrappedKey, ...]:
        """Makers of CVVs, the current one first: a card keeps the CVV that it was made with."""
        return _usable(self._store, names.CVK)

    @property
    def pin_verification(self) -> tuple[WrappedKey, ...]:
        """Makers of PVVs, the current one first."""
        return _usable(self._store, names.PVK)

    @property
    def chip_masters(self) -> tuple[WrappedKey, ...]:
        """Of chips' cryptograms, the current one first: a chip keeps the key that it was made with."""
        return _usable(self._store, names.CHIP)

    @property
    def script_master(self) -> WrappedKey:
        """Of commands to chips."""
        return self._store.current(names.SCRIPT).key


def _usable(store: KeyStore, name: str) -> tuple[WrappedKey, ...]:
    return tuple(version.key for version in store.usable(name))
