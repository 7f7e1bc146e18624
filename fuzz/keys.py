"""The one session that fuzzed terminals have: keys that never change, so that an input means the same in every run."""

from __future__ import annotations

from functools import cache

import iso8583
import world
from iso8583 import FormatError
from key_store import KeyRing, KeyStore, names
from security_module import Algorithm, MacAlgorithm, Purpose, SecurityModule


@cache
def module() -> SecurityModule:
    return SecurityModule(world.lmk("acquirer"))


PIN_KEY = module().import_clear(Purpose.PIN, bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
MAC_KEY = module().import_clear(Purpose.MAC, bytes.fromhex("23456789ABCDEF01DCFEBA9876543210"))


class _NoBucket:
    """Rings are made once and never changed; what is not in memory is nowhere."""

    async def get_entry(self, key: str) -> tuple[bytes, int] | None:
        return None

    async def update(self, key: str, value: bytes, revision: int) -> int | None:
        return 1

    async def changes(self, after: int) -> tuple[list[tuple[str, bytes, int]], int]:
        return [], after


async def key_rings(hsm: SecurityModule) -> KeyStore:
    """The acquirer's rings of the test world, those of its few terminals by hand only."""
    store = KeyStore(_NoBucket(), "acquirer")
    keys = {names.DATA: hsm.import_clear(Purpose.DATA, world.data_key())}
    for cipher, name in ((Algorithm.TDES, names.BASE_TDES), (Algorithm.AES, names.BASE_AES)):
        keys[name] = hsm.import_clear(Purpose.BASE_DERIVATION, world.base_key(cipher), cipher)
    for institution in world.built_in().institutions:
        zone = world.zone_pin_key(institution.id), world.zone_pin_algorithm(institution.id)
        keys[names.zone(institution.id)] = hsm.import_clear(Purpose.ZONE_PIN, *zone)
    for terminal in world.built_in().terminals[:8]:
        master = world.terminal_master_key(terminal.tid)
        keys[names.terminal(terminal.tid)] = hsm.import_clear(Purpose.TERMINAL_MASTER, master)
    for name, key in keys.items():
        await store.create(KeyRing.first(name, key, 0))
    return store


def sign(body: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bytes:
    """The body with the MAC that the gateway will accept; as it is when it has no field 64."""
    try:
        block = iso8583.mac_block(body)
    except FormatError:
        return body
    return body[: -iso8583.MAC_SIZE] + module().mac(MAC_KEY, block, algorithm)
