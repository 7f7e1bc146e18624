"""AES DUKPT (ANSI X9.24-3:2017, clause 6): the initial key of a terminal and the working keys of a transaction."""

from __future__ import annotations

from security_module.aes import AesKey, encrypted_once
from security_module.dukpt import Use, check_length, counter_of, lineage
from security_module.keys import Algorithm

KSN_BYTES = 12
COUNTER_BITS = 32
MOST_ONES = 16
_DERIVATION = 0x8000
_INITIAL = 0x8001
_USAGES = {Use.PIN: 0x1000, Use.MAC_REQUEST: 0x2000, Use.MAC_RESPONSE: 0x2001}
"""Table 2, as the terminal sees it: it generates the MAC of a request and verifies that of a response."""
_KEY_TYPES = {(Algorithm.TDES, 16): 0, (Algorithm.AES, 16): 2, (Algorithm.AES, 24): 3, (Algorithm.AES, 32): 4}
"""Table 3. Working keys under TDES have double length."""


def _derived(key: bytes, usage: int, algorithm: Algorithm, length: int, context: bytes) -> bytes:
    """`length` bytes from as many encrypted blocks of derivation data (6.3.1, 6.3.2); `context` is its last 8 bytes."""
    kind = usage.to_bytes(2, "big") + _KEY_TYPES[algorithm, length].to_bytes(2, "big") + (length * 8).to_bytes(2, "big")
    blocks = b"".join(bytes((1, n)) + kind + context for n in range(1, -(-length // 16) + 1))
    return encrypted_once(key, blocks)[:length]


def terminal_of(ksn: bytes) -> bytes:
    """The initial key ID: the BDK's ID (4 bytes) and the terminal's derivation ID (4)."""
    check_length(ksn, KSN_BYTES)
    return ksn[:8]


def initial_key(base: AesKey, ksn: bytes) -> bytes:
    """IK (6.3.3.1), as long as the base key."""
    return _derived(base.clear, _INITIAL, Algorithm.AES, len(base.clear), terminal_of(ksn))


def ancestry(ksn: bytes) -> list[bytes]:
    """The KSN and those that its key derives from, up to the initial key's (6.3.3.2); SerialNumberError for one that no terminal uses."""
    return lineage(ksn, counter_of(ksn, length=KSN_BYTES, bits=COUNTER_BITS, most=MOST_ONES))


def step(key: bytes, ksn: bytes) -> bytes:
    """The intermediate derivation key of this KSN from the one before it in its ancestry."""
    return _derived(key, _DERIVATION, Algorithm.AES, len(key), ksn[4:])


def working_key(transaction: bytes, ksn: bytes, use: Use, algorithm: Algorithm) -> bytes:
    """What the transaction's PIN or MACs are under: of the base key's length for AES, of double length for TDES."""
    length = len(transaction) if algorithm is Algorithm.AES else 16
    return _derived(transaction, _USAGES[use], algorithm, length, ksn[4:])
