"""Message authentication codes of field 64. Each takes the MAB (MTI up to and including field 63) and gives 8 bytes."""

from __future__ import annotations

from enum import StrEnum

from security_module.aes import AesKey
from security_module.chaining import cmac
from security_module.des import DesKey


class MacAlgorithm(StrEnum):
    """What a merchant's terminals may be configured for."""

    CUP_ECB = "cup-ecb"
    X9_9 = "x9.9"
    X9_19 = "x9.19"
    AES_CMAC = "aes-cmac"


def _pad(data: bytes) -> bytes:
    """Zeros to whole blocks of 8, at least one block."""
    return data.ljust(max(8, -(-len(data) // 8) * 8), b"\0")


_MASKS = tuple((1 << 64 * blocks) - 1 for blocks in range(65))


def _fold(data: bytes) -> bytes:
    """All blocks of 8 XORed together, zeros behind the last: one number, its upper half laid over the lower until a block is left."""
    number, blocks = int.from_bytes(data, "big") << 8 * (-len(data) % 8), -(-len(data) // 8)
    while blocks > 1:
        lower = blocks - blocks // 2
        mask = _MASKS[lower] if lower < len(_MASKS) else (1 << 64 * lower) - 1
        number, blocks = number >> 64 * lower ^ number & mask, lower
    return number.to_bytes(8, "big")


def cup_ecb(key: DesKey, data: bytes) -> bytes:
    """CUP-ECB (terminal-protocol, Security): XOR the blocks, write them as 16 hex characters, encrypt the first 8, XOR the last 8,
    encrypt; field 64 is the first 8 hex characters of that, as ASCII."""
    spread = _fold(data).hex().upper().encode()
    first = int.from_bytes(key.encrypt(spread[:8]), "big") ^ int.from_bytes(spread[8:], "big")
    return key.encrypt(first.to_bytes(8, "big"))[:4].hex().upper().encode()


def x9_9(key: DesKey, data: bytes) -> bytes:
    """ANSI X9.9: CBC under single DES, the last block. Of a longer key the first 8 bytes count."""
    return key.left().cbc_last(_pad(data))


def x9_19(key: DesKey, data: bytes) -> bytes:
    """ANSI X9.19 (ISO 9797-1 algorithm 3, padding 1): CBC under the left half, the last block then through the whole key."""
    left = key.left()
    # E(K1, D(K2, x)) of the last CBC block x = E(K1, y) is the whole key's encryption of y: take the left encryption back first.
    return key.encrypt(left.decrypt(left.cbc_last(_pad(data))))


def aes_cmac(key: AesKey, data: bytes) -> bytes:
    """AES-CMAC (NIST SP 800-38B; ISO 9797-1 algorithm 5), the first 8 of its 16 bytes, as field 64 holds 8."""
    return cmac(key.algorithm(), data)[:8]


ALGORITHMS = {MacAlgorithm.CUP_ECB: cup_ecb, MacAlgorithm.X9_9: x9_9, MacAlgorithm.X9_19: x9_19}
"""Those under a TDES key; AES_CMAC is the one under an AES key."""
