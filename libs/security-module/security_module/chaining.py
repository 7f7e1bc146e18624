"""CBC and CMAC over either cipher. Their state cannot be kept from one message to the next, so each call makes it anew."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.cmac import CMAC


def cbc_encrypt(cipher: BlockCipherAlgorithm, initial: bytes, data: bytes) -> bytes:
    """`data` is whole blocks; `initial` one block."""
    return Cipher(cipher, modes.CBC(initial)).encryptor().update(data)


def cbc_decrypt(cipher: BlockCipherAlgorithm, initial: bytes, data: bytes) -> bytes:
    """`data` is whole blocks; `initial` one block."""
    return Cipher(cipher, modes.CBC(initial)).decryptor().update(data)


def cmac(cipher: BlockCipherAlgorithm, data: bytes) -> bytes:
    """NIST SP 800-38B (ISO 9797-1 algorithm 5), one whole block: 8 bytes of TDES, 16 of AES."""
    made = CMAC(cipher)
    made.update(data)
    return made.finalize()
