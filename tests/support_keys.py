"""Key rings without a broker: a bucket in memory, and the test world's rings in it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import world
from key_store import KeyRing, KeyStore, names
from security_module import Algorithm, Purpose, SecurityModule, WrappedKey

T = TypeVar("T")


class MemoryBucket:
    """runtime.jetstream.Bucket as far as key stores use it; revisions count over all keys, as a stream's sequences do."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int]] = {}
        self.revision = 0
        self.asked = 0
        self.trouble: Exception | None = None

    async def get_entry(self, key: str) -> tuple[bytes, int] | None:
        self._ask()
        return self.values.get(key)

    async def update(self, key: str, value: bytes, revision: int) -> int | None:
        self._ask()
        if self.values.get(key, (b"", 0))[1] != revision:
            return None
        self.revision += 1
        self.values[key] = value, self.revision
        return self.revision

    async def changes(self, after: int) -> tuple[list[tuple[str, bytes, int]], int]:
        self._ask()
        newer = [(key, *entry) for key, entry in self.values.items() if entry[1] > after]
        return sorted(newer, key=lambda row: row[2]), self.revision

    def _ask(self) -> None:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nobody, as none does on a bucket in memory."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


BY_HAND = sum(int(t.tid) < min(world.LOAD_FIRST.values()) for t in world.built_in().terminals)
"""Terminals that come before those for load."""


def acquirers_rings(
    module: SecurityModule, bucket: MemoryBucket | None = None, *, terminals: int = BY_HAND
) -> KeyStore:
    """The acquirer's rings of the test world, of its first terminals only, in a bucket of their own."""
    keys = {
        names.DATA: module.import_clear(Purpose.DATA, world.data_key()),
        names.BASE_TDES: module.import_clear(Purpose.BASE_DERIVATION, world.base_key(Algorithm.TDES)),
        names.BASE_AES: module.import_clear(Purpose.BASE_DERIVATION, world.base_key(Algorithm.AES), Algorithm.AES),
    }
    for bank in (institution.id for institution in world.built_in().institutions):
        keys[names.transport(bank)] = _transport(module, bank)
        keys[names.zone(bank)] = _zone(module, bank)
    for terminal in world.built_in().terminals[:terminals]:
        master = world.terminal_master_key(terminal.tid)
        keys[names.terminal(terminal.tid)] = module.import_clear(Purpose.TERMINAL_MASTER, master)
    return _store(keys, bucket, "acquirer")


def banks_rings(module: SecurityModule, bank: str, bucket: MemoryBucket | None = None) -> KeyStore:
    """A bank's rings of the test world."""
    keys = {
        names.TRANSPORT: _transport(module, bank),
        names.ZONE: _zone(module, bank),
        names.CVK: module.import_clear(Purpose.CVK, world.cvk(bank)),
        names.PVK: module.import_clear(Purpose.PVK, world.pvk(bank)),
        names.CHIP: module.import_clear(Purpose.CARD_MASTER, world.chip_master_key(bank)),
        names.SCRIPT: module.import_clear(Purpose.CARD_SCRIPT, world.script_master_key(bank)),
    }
    return _store(keys, bucket, bank)


def _transport(module: SecurityModule, bank: str) -> WrappedKey:
    return module.import_clear(Purpose.KEY_BLOCK, world.transport_key(bank), Algorithm.AES)


def _zone(module: SecurityModule, bank: str) -> WrappedKey:
    return module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(bank), world.zone_pin_algorithm(bank))


def _store(keys: dict[str, WrappedKey], bucket: MemoryBucket | None, party: str) -> KeyStore:
    store = KeyStore(bucket or MemoryBucket(), party)
    for name, key in keys.items():
        at_once(store.create(KeyRing.first(name, key, 0)))
    return store
