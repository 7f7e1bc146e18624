"""TDES DUKPT (ANSI X9.24-1:2009, annex A): the initial key of a terminal and the working keys of a transaction, all of 16 bytes."""

from __future__ import annotations

from security_module.des import DesKey, encrypted_once
from security_module.dukpt import Use, check_length, counter_of, lineage

KSN_BYTES = 10
COUNTER_BITS = 21
MOST_ONES = 10
_MASK = 0xC0C0C0C000000000C0C0C0C000000000
_VARIANTS = {
    Use.PIN: 0x00000000000000FF00000000000000FF,
    Use.MAC_REQUEST: 0x000000000000FF00000000000000FF00,
    Use.MAC_RESPONSE: 0x00000000FF00000000000000FF000000,
}
"""A.4.1, table A-1: what is XORed to the transaction key, so that the key itself does no work."""


def _mixed(key: bytes, mask: int) -> bytes:
    return (int.from_bytes(key, "big") ^ mask).to_bytes(16, "big")


def terminal_of(ksn: bytes) -> bytes:
    """The first 8 bytes of the KSN with the counter's bits zero: what tells terminals apart."""
    check_length(ksn, KSN_BYTES)
    return (int.from_bytes(ksn, "big") >> COUNTER_BITS << COUNTER_BITS).to_bytes(KSN_BYTES, "big")[:8]


def initial_key(base: DesKey, ksn: bytes) -> bytes:
    """IPEK (A.6): the terminal's number under the base key and under its variant."""
    terminal = terminal_of(ksn)
    return base.encrypt(terminal) + DesKey(_mixed(base.clear, _MASK)).encrypt(terminal)


def _half(key: bytes, register: int) -> bytes:
    right = int.from_bytes(key[8:], "big")
    out = encrypted_once(key[:8], (register ^ right).to_bytes(8, "big"))
    return (int.from_bytes(out, "big") ^ right).to_bytes(8, "big")


def ancestry(ksn: bytes) -> list[bytes]:
    """The KSN and those that its key derives from, up to the initial key's (A.3); SerialNumberError for one that no terminal uses."""
    return lineage(ksn, counter_of(ksn, length=KSN_BYTES, bits=COUNTER_BITS, most=MOST_ONES))


def step(key: bytes, ksn: bytes) -> bytes:
    """The key of this KSN from the one before it in its ancestry: the non-reversible key generation process (A.2)."""
    register = int.from_bytes(ksn[2:], "big")
    return _half(_mixed(key, _MASK), register) + _half(key, register)


def working_key(transaction: bytes, use: Use) -> bytes:
    """What the transaction's PIN or MACs are under."""
    return _mixed(transaction, _VARIANTS[use])
