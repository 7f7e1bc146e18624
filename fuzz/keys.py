"""The keys that fuzzed terminals have: a session's that never change, so that an input means the same in every run, and the world's base keys."""

from __future__ import annotations

from functools import cache

import iso8583
import world
from iso8583 import Field59, FormatError, Message
from key_store import KeyRing, KeyStore, names
from security_module import Algorithm, DukptKey, Key, Purpose, SecurityModule, SecurityModuleError, WrappedKey
from world import KeyScheme, Terminal


@cache
def module() -> SecurityModule:
    return SecurityModule(world.lmk("acquirer"))


PIN_KEY = module().import_clear(Purpose.PIN, bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
MAC_KEY = module().import_clear(Purpose.MAC, bytes.fromhex("23456789ABCDEF01DCFEBA9876543210"))


@cache
def base(scheme: KeyScheme) -> WrappedKey:
    """The base key of a DUKPT scheme."""
    return module().import_clear(Purpose.BASE_DERIVATION, world.base_key(scheme.cipher), scheme.cipher)


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
    for terminal in world.built_in().terminals[:16]:
        master = world.terminal_master_key(terminal.tid)
        keys[names.terminal(terminal.tid)] = hsm.import_clear(Purpose.TERMINAL_MASTER, master)
    for name, key in keys.items():
        await store.create(KeyRing.first(name, key, 0))
    return store


def sign(body: bytes) -> bytes:
    """The body with the MAC that the gateway will accept; as it is when it has no field 64, or nothing that such a MAC could be under."""
    message = iso8583.salvage(body)
    terminal = world.built_in().terminal(message.text(41)) if message is not None else None
    if message is None or terminal is None:
        return body
    try:
        block, key = iso8583.mac_block(body), mac_key(terminal, message)
        return body[: -iso8583.MAC_SIZE] + module().mac(key, block, terminal.mac_algorithm)
    except (FormatError, SecurityModuleError):
        return body


def mac_key(terminal: Terminal, message: Message) -> Key:
    """The session's, or the one that the message's serial number names; FormatError when it names none."""
    if terminal.scheme is KeyScheme.SESSION:
        return MAC_KEY
    return DukptKey(base=base(terminal.scheme), ksn=Field59.parse(message.data(59)).ksn)
