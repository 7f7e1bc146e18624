"""The one session that fuzzed terminals have: keys that never change, so that an input means the same in every run."""

from __future__ import annotations

from functools import cache

import iso8583
import world
from iso8583 import FormatError
from security_module import MacAlgorithm, Purpose, SecurityModule


@cache
def module() -> SecurityModule:
    return SecurityModule(world.lmk("acquirer"))


PIN_KEY = module().import_clear(Purpose.PIN, bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
MAC_KEY = module().import_clear(Purpose.MAC, bytes.fromhex("23456789ABCDEF01DCFEBA9876543210"))


def sign(body: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bytes:
    """The body with the MAC that the gateway will accept; as it is when it has no field 64."""
    try:
        block = iso8583.mac_block(body)
    except FormatError:
        return body
    return body[: -iso8583.MAC_SIZE] + module().mac(MAC_KEY, block, algorithm)
