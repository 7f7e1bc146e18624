"""Data keys: a module and rings of any length, as gateways and readers have them."""

from __future__ import annotations

from key_store import KeyRing, names
from security_module import Purpose, SecurityModule

MODULE = SecurityModule(bytes(range(32)))


def first_ring() -> KeyRing:
    """Version 1, current."""
    return KeyRing.first(names.DATA, MODULE.generate(Purpose.DATA, length=32), at_ms=0)


def accepting(ring: KeyRing) -> KeyRing:
    """With one more version, accepted."""
    return ring.accept(MODULE.generate(Purpose.DATA, length=32), at_ms=0)


def rotated(ring: KeyRing, times: int = 1) -> KeyRing:
    """With `times` more versions, the newest of them current."""
    for _ in range(times):
        ring = accepting(ring)
        ring = ring.promote(ring.versions[-1].number, at_ms=0)
    return ring
