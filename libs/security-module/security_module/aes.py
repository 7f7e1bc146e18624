"""An AES key with its contexts made once, as `des` does for 3DES."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from security_module.chaining import cmac
from security_module.errors import KeyFormatError

AES_LENGTHS = (16, 24, 32)
_ZERO_BLOCK = bytes(16)


def encrypted_once(key: bytes, data: bytes) -> bytes:
    """ECB over whole blocks of 16 bytes, under a key that will not be used again."""
    return Cipher(AES(key), modes.ECB()).encryptor().update(data)  # noqa: S305 - DUKPT's steps are defined over single blocks


class AesKey:
    """One clear key, 16, 24 or 32 bytes, inside the module. Use it from one thread at a time."""

    __slots__ = ("clear", "decrypt", "encrypt")

    def __init__(self, clear: bytes) -> None:
        if len(clear) not in AES_LENGTHS:
            raise KeyFormatError(f"key: {len(clear)} bytes, an AES key has 16, 24 or 32")
        self.clear = clear
        cipher = Cipher(self.algorithm(), modes.ECB())  # noqa: S305 - PIN format 4 and DUKPT's derivation are defined over single blocks
        self.encrypt = cipher.encryptor().update
        """ECB over whole blocks of 16 bytes."""
        self.decrypt = cipher.decryptor().update

    def __repr__(self) -> str:
        return "AesKey(****)"

    def algorithm(self) -> AES:
        """For modes other than ECB (`chaining`)."""
        return AES(self.clear)

    def check_value(self) -> bytes:
        """4 bytes: the first of the CMAC of the zero block (X9.24-1:2017 annex A, of whose 5 bytes the first 4)."""
        return cmac(self.algorithm(), _ZERO_BLOCK)[:4]
