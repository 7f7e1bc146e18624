"""The keys that fuzzed terminals have: a session's that never change, so that an input means the same in every run, and the world's base keys."""

from __future__ import annotations

from functools import cache

import iso8583
import world
from iso8583 import Field59, FormatError, Message
from security_module import DukptKey, Key, Purpose, SecurityModule, SecurityModuleError, WrappedKey
from world import KeyScheme, Terminal


@cache
def module() -> SecurityModule:
    return SecurityModule(world.lmk())


PIN_KEY = module().import_clear(Purpose.PIN, bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
MAC_KEY = module().import_clear(Purpose.MAC, bytes.fromhex("23456789ABCDEF01DCFEBA9876543210"))


@cache
def base(scheme: KeyScheme) -> WrappedKey:
    """The base key of a DUKPT scheme."""
    return module().import_clear(Purpose.BASE_DERIVATION, world.base_key(scheme.cipher), scheme.cipher)


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
